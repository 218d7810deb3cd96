//! The `halfsour` command: what can be said about a pickle without Python.

use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use halfsour::dis::{DisError, Disassembler};

/// Looks into Python pickles. Nothing in them is run.
#[derive(Parser)]
#[command(name = "halfsour", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Dis(Dis),
}

/// Disassembles pickles: prints what `python -m pickletools` prints.
#[derive(Args)]
struct Dis {
    /// Pickle files; `-` is the standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// By how many blanks a MARK indents
    #[arg(
        short = 'l',
        long,
        visible_alias = "indentlevel",
        value_name = "BLANKS",
        default_value_t = 4
    )]
    indent: u16,
    /// Keep the memo from file to file
    #[arg(short, long)]
    memo: bool,
    /// Say in each line what its opcode does
    #[arg(short, long)]
    annotate: bool,
}

impl Dis {
    fn run(&self, out: &mut dyn Write) -> Result<(), String> {
        let column = if self.annotate { 30 } else { 0 };
        let mut disassembler = Disassembler::new().indent(self.indent.into()).annotate(column);
        for file in &self.files {
            let stdin = file == Path::new("-");
            let name = if stdin { "<stdin>".into() } else { file.to_string_lossy() };
            let data = if stdin { read_stdin() } else { fs::read(file) };
            let data = data.map_err(|error| format!("{name}: {error}"))?;
            if !self.memo {
                disassembler.clear_memo();
            }
            let heading =
                if self.files.len() > 1 { writeln!(out, "==> {name} <==") } else { Ok(()) };
            match heading.map_err(DisError::from).and_then(|()| disassembler.dis(&data, out)) {
                Ok(_) => {}
                // Whoever reads us has seen enough.
                Err(DisError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(format!("{name}: {error}")),
            }
        }
        Ok(())
    }
}

fn read_stdin() -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    io::stdin().read_to_end(&mut data)?;
    Ok(data)
}

fn main() -> ExitCode {
    let Command::Dis(dis) = Cli::parse().command;
    let mut out = BufWriter::new(io::stdout().lock());
    let result = dis.run(&mut out);
    // What was understood comes before what was not.
    let flushed = out.flush();
    match (result, flushed) {
        (Err(error), _) => {
            eprintln!("halfsour: {error}");
            ExitCode::FAILURE
        }
        (Ok(()), Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("halfsour: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
