//! The table of opcodes, as data: names, arguments, stack effects, protocols, and what each does.
//!
//! Reader, machine, disassembler and documentation go by this one table. Its names and numbers are
//! those of CPython's `pickletools.opcodes`; its sentences are the specification in our own words.

use core::fmt;

/// What one opcode is.
///
/// ```
/// use halfsour::Opcode;
/// use halfsour::opcode::{ArgKind, Kind};
/// let info = Opcode::SetItem.info();
/// assert_eq!((info.name, info.byte, info.protocol), ("SETITEM", b's', 0));
/// assert_eq!(info.arg, ArgKind::None);
/// assert_eq!(info.before, [Kind::Dict, Kind::Any, Kind::Any]);
/// assert_eq!(info.after, [Kind::Dict]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The name in `pickletools`, as `BININT1`.
    pub name: &'static str,
    /// The byte that stands for it.
    pub byte: u8,
    /// The argument that follows the byte.
    pub arg: ArgKind,
    /// What it takes from the stack, the lowest first.
    pub before: &'static [Kind],
    /// What it leaves on the stack instead.
    pub after: &'static [Kind],
    /// The protocol that brought it.
    pub protocol: u8,
    /// What it does, in a sentence.
    pub doc: &'static str,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)*) => {
        /// A kind of thing on the stack.
        ///
        /// ```
        /// use halfsour::Opcode;
        /// use halfsour::opcode::Kind;
        /// assert_eq!(Opcode::BinUnicode.info().after, [Kind::Str]);
        /// // All opcodes that take a mark
        /// let opcodes = Opcode::ALL.iter().filter(|op| op.info().before.contains(&Kind::Mark));
        /// assert_eq!(opcodes.count(), 10);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind { $($(#[doc = $doc])+ $variant,)* }

        impl Kind {
            /// The name in `pickletools`.
            ///
            /// ```
            /// use halfsour::opcode::Kind;
            /// assert_eq!(Kind::IntOrBool.name(), "int_or_bool");
            /// assert_eq!(Kind::Str.to_string(), "str");
            /// ```
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// Anything at all.
    Any = "any",
    /// The one `None`.
    None = "None",
    /// `True` or `False`.
    Bool = "bool",
    /// An integer.
    Int = "int",
    /// What INT gives: an integer or a truth value.
    IntOrBool = "int_or_bool",
    /// A float.
    Float = "float",
    /// A string of Python 2: bytes or text, as the reader's encoding says.
    BytesOrStr = "bytes_or_str",
    /// Bytes.
    Bytes = "bytes",
    /// A bytearray.
    ByteArray = "bytearray",
    /// An out-of-band buffer.
    Buffer = "buffer",
    /// Text.
    Str = "str",
    /// A tuple.
    Tuple = "tuple",
    /// A list, or what behaves like one.
    List = "list",
    /// A dict, or what behaves like one.
    Dict = "dict",
    /// A set, or what behaves like one.
    Set = "set",
    /// A frozenset.
    FrozenSet = "frozenset",
    /// A mark.
    Mark = "mark",
    /// All values above the topmost mark.
    StackSlice = "stackslice",
}

impl fmt::Display for Kind {
    /// The name in `pickletools`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

macro_rules! arg_kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)*) => {
        /// The shape of an argument.
        ///
        /// ```
        /// use halfsour::Opcode;
        /// use halfsour::opcode::ArgKind;
        /// assert_eq!(Opcode::BinInt2.info().arg, ArgKind::Uint2);
        /// assert_eq!(Opcode::Global.info().arg, ArgKind::StringLineNoEscapePair);
        /// assert_eq!(Opcode::Stop.info().arg, ArgKind::None);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ArgKind {
            /// There is none.
            None,
            $($(#[doc = $doc])+ $variant,)*
        }

        impl ArgKind {
            /// The name of the `ArgumentDescriptor` in `pickletools`.
            ///
            /// ```
            /// use halfsour::opcode::ArgKind;
            /// assert_eq!(ArgKind::Unicode1.name(), Some("unicodestring1"));
            /// assert_eq!(ArgKind::None.name(), None);
            /// ```
            pub const fn name(self) -> Option<&'static str> {
                match self { ArgKind::None => None, $(ArgKind::$variant => Some($name),)* }
            }
        }
    };
}

arg_kinds! {
    /// One byte, unsigned.
    Uint1 = "uint1",
    /// Two bytes, little-endian, unsigned.
    Uint2 = "uint2",
    /// Four bytes, little-endian, signed.
    Int4 = "int4",
    /// Four bytes, little-endian, unsigned.
    Uint4 = "uint4",
    /// Eight bytes, little-endian, unsigned.
    Uint8 = "uint8",
    /// A line with a decimal number; `00` and `01` are truth values.
    DecimalLineShort = "decimalnl_short",
    /// A line with a decimal number and perhaps an `L` behind it.
    DecimalLineLong = "decimalnl_long",
    /// A line with a decimal float.
    FloatLine = "floatnl",
    /// Eight bytes, big-endian, an IEEE 754 double.
    Float8 = "float8",
    /// A line with a quoted string in Python's escapes.
    StringLine = "stringnl",
    /// A line of plain text.
    StringLineNoEscape = "stringnl_noescape",
    /// Two lines of plain text.
    StringLineNoEscapePair = "stringnl_noescape_pair",
    /// One byte of length, then as many bytes.
    String1 = "string1",
    /// Four bytes of signed length, then as many bytes.
    String4 = "string4",
    /// One byte of length, then as many bytes.
    Bytes1 = "bytes1",
    /// Four bytes of unsigned length, then as many bytes.
    Bytes4 = "bytes4",
    /// Eight bytes of unsigned length, then as many bytes.
    Bytes8 = "bytes8",
    /// Eight bytes of unsigned length, then as many bytes, for a bytearray.
    ByteArray8 = "bytearray8",
    /// A line in raw-unicode-escape.
    UnicodeLine = "unicodestringnl",
    /// One byte of length, then as many bytes of UTF-8.
    Unicode1 = "unicodestring1",
    /// Four bytes of unsigned length, then as many bytes of UTF-8.
    Unicode4 = "unicodestring4",
    /// Eight bytes of unsigned length, then as many bytes of UTF-8.
    Unicode8 = "unicodestring8",
    /// One byte of length, then as many bytes of a little-endian two's complement number.
    Long1 = "long1",
    /// Four bytes of signed length, then as many bytes of a little-endian two's complement number.
    Long4 = "long4",
}

macro_rules! opcodes {
    ($($variant:ident $name:ident $byte:literal $arg:ident
       [$($before:ident)*] => [$($after:ident)*] $protocol:literal $doc:literal;)*) => {
        /// An opcode.
        ///
        /// ```
        /// use halfsour::Opcode;
        /// assert_eq!(Opcode::BinInt1 as u8, b'K');
        /// assert_eq!(Opcode::BinInt1.to_string(), "BININT1");
        /// assert_eq!(Opcode::from_byte(b'K'), Some(Opcode::BinInt1));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Opcode { $(#[doc = $doc] $variant = $byte,)* }

        impl Opcode {
            /// All opcodes, in the order of `pickletools.opcodes`.
            pub const ALL: [Opcode; [$($byte),*].len()] = [$(Opcode::$variant),*];

            /// The opcode that a byte stands for.
            ///
            /// ```
            /// use halfsour::Opcode;
            /// assert_eq!(Opcode::from_byte(b'.'), Some(Opcode::Stop));
            /// assert_eq!(Opcode::from_byte(b'?'), None);
            /// ```
            #[inline(always)]
            pub const fn from_byte(byte: u8) -> Option<Opcode> {
                match byte {
                    $($byte => Some(Opcode::$variant),)*
                    _ => None,
                }
            }

            /// The opcode's row of the table.
            ///
            /// ```
            /// use halfsour::Opcode;
            /// let info = Opcode::EmptySet.info();
            /// assert_eq!((info.byte, info.protocol), (0x8f, 4));
            /// assert_eq!(info.doc, "Pushes a new empty set.");
            /// ```
            pub const fn info(self) -> &'static Info {
                match self {
                    $(Opcode::$variant => &Info {
                        name: stringify!($name),
                        byte: $byte,
                        arg: ArgKind::$arg,
                        before: &[$(Kind::$before),*],
                        after: &[$(Kind::$after),*],
                        protocol: $protocol,
                        doc: $doc,
                    },)*
                }
            }
        }
    };
}

impl Opcode {
    /// The byte that stands for it.
    ///
    /// ```
    /// use halfsour::Opcode;
    /// assert_eq!(Opcode::Stop.byte(), b'.');
    /// assert_eq!([Opcode::None, Opcode::Stop].map(Opcode::byte), *b"N.");
    /// ```
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// Its name in `pickletools`.
    ///
    /// ```
    /// use halfsour::Opcode;
    /// assert_eq!(Opcode::ShortBinUnicode.name(), "SHORT_BINUNICODE");
    /// ```
    pub const fn name(self) -> &'static str {
        self.info().name
    }
}

impl fmt::Display for Opcode {
    /// The name in `pickletools`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

opcodes! {
    Int INT b'I' DecimalLineShort [] => [IntOrBool] 0
        "Pushes the integer that a line of decimal digits spells; `00` and `01` push False and True.";
    BinInt BININT b'J' Int4 [] => [Int] 1
        "Pushes a signed four-byte integer.";
    BinInt1 BININT1 b'K' Uint1 [] => [Int] 1
        "Pushes an unsigned one-byte integer.";
    BinInt2 BININT2 b'M' Uint2 [] => [Int] 1
        "Pushes an unsigned two-byte integer.";
    Long LONG b'L' DecimalLineLong [] => [Int] 0
        "Pushes the integer of any size that a line of decimal digits spells, with or without an L.";
    Long1 LONG1 0x8a Long1 [] => [Int] 2
        "Pushes an integer of up to 255 bytes.";
    Long4 LONG4 0x8b Long4 [] => [Int] 2
        "Pushes an integer of up to 2 GiB.";
    String STRING b'S' StringLine [] => [BytesOrStr] 0
        "Pushes a string of Python 2 that a quoted and escaped line spells.";
    BinString BINSTRING b'T' String4 [] => [BytesOrStr] 1
        "Pushes a string of Python 2.";
    ShortBinString SHORT_BINSTRING b'U' String1 [] => [BytesOrStr] 1
        "Pushes a string of Python 2 of up to 255 bytes.";
    BinBytes BINBYTES b'B' Bytes4 [] => [Bytes] 3
        "Pushes bytes, up to 4 GiB.";
    ShortBinBytes SHORT_BINBYTES b'C' Bytes1 [] => [Bytes] 3
        "Pushes bytes, up to 255.";
    BinBytes8 BINBYTES8 0x8e Bytes8 [] => [Bytes] 4
        "Pushes bytes of any number.";
    ByteArray8 BYTEARRAY8 0x96 ByteArray8 [] => [ByteArray] 5
        "Pushes a new bytearray.";
    NextBuffer NEXT_BUFFER 0x97 None [] => [Buffer] 5
        "Pushes the next of the buffers that travel beside the pickle.";
    ReadonlyBuffer READONLY_BUFFER 0x98 None [Buffer] => [Buffer] 5
        "Replaces the buffer on top by a read-only view of it.";
    None NONE b'N' None [] => [None] 0
        "Pushes None.";
    NewTrue NEWTRUE 0x88 None [] => [Bool] 2
        "Pushes True.";
    NewFalse NEWFALSE 0x89 None [] => [Bool] 2
        "Pushes False.";
    Unicode UNICODE b'V' UnicodeLine [] => [Str] 0
        "Pushes the text that a line in raw-unicode-escape spells.";
    ShortBinUnicode SHORT_BINUNICODE 0x8c Unicode1 [] => [Str] 4
        "Pushes text of up to 255 bytes of UTF-8.";
    BinUnicode BINUNICODE b'X' Unicode4 [] => [Str] 1
        "Pushes text of up to 4 GiB of UTF-8.";
    BinUnicode8 BINUNICODE8 0x8d Unicode8 [] => [Str] 4
        "Pushes text of any length.";
    Float FLOAT b'F' FloatLine [] => [Float] 0
        "Pushes the float that a line of decimal digits spells.";
    BinFloat BINFLOAT b'G' Float8 [] => [Float] 1
        "Pushes an eight-byte float.";
    EmptyList EMPTY_LIST b']' None [] => [List] 1
        "Pushes a new empty list.";
    Append APPEND b'a' None [List Any] => [List] 0
        "Appends the value on top to the list below it.";
    Appends APPENDS b'e' None [List Mark StackSlice] => [List] 1
        "Extends the list below the mark by all values above the mark.";
    List LIST b'l' None [Mark StackSlice] => [List] 0
        "Makes a list of all values above the mark.";
    EmptyTuple EMPTY_TUPLE b')' None [] => [Tuple] 1
        "Pushes the empty tuple.";
    Tuple TUPLE b't' None [Mark StackSlice] => [Tuple] 0
        "Makes a tuple of all values above the mark.";
    Tuple1 TUPLE1 0x85 None [Any] => [Tuple] 2
        "Makes a tuple of the value on top.";
    Tuple2 TUPLE2 0x86 None [Any Any] => [Tuple] 2
        "Makes a tuple of the two values on top.";
    Tuple3 TUPLE3 0x87 None [Any Any Any] => [Tuple] 2
        "Makes a tuple of the three values on top.";
    EmptyDict EMPTY_DICT b'}' None [] => [Dict] 1
        "Pushes a new empty dict.";
    Dict DICT b'd' None [Mark StackSlice] => [Dict] 0
        "Makes a dict of the keys and values that alternate above the mark.";
    SetItem SETITEM b's' None [Dict Any Any] => [Dict] 0
        "Stores the value on top, under the key below it, in the dict below that.";
    SetItems SETITEMS b'u' None [Dict Mark StackSlice] => [Dict] 1
        "Stores the keys and values that alternate above the mark in the dict below the mark.";
    EmptySet EMPTY_SET 0x8f None [] => [Set] 4
        "Pushes a new empty set.";
    AddItems ADDITEMS 0x90 None [Set Mark StackSlice] => [Set] 4
        "Adds all values above the mark to the set below the mark.";
    FrozenSet FROZENSET 0x91 None [Mark StackSlice] => [FrozenSet] 4
        "Makes a frozenset of all values above the mark.";
    Pop POP b'0' None [Any] => [] 0
        "Drops the value on top, or the mark if that is on top.";
    Dup DUP b'2' None [Any] => [Any Any] 0
        "Pushes the value on top once more.";
    Mark MARK b'(' None [] => [Mark] 0
        "Sets a mark, for a later opcode that takes all values above it.";
    PopMark POP_MARK b'1' None [Mark StackSlice] => [] 1
        "Drops all values above the mark, and the mark.";
    Get GET b'g' DecimalLineShort [] => [Any] 0
        "Pushes the memo's value at the index that a line of decimal digits spells.";
    BinGet BINGET b'h' Uint1 [] => [Any] 1
        "Pushes the memo's value at a one-byte index.";
    LongBinGet LONG_BINGET b'j' Uint4 [] => [Any] 1
        "Pushes the memo's value at a four-byte index.";
    Put PUT b'p' DecimalLineShort [] => [] 0
        "Puts the value on top into the memo, at the index that a line of decimal digits spells.";
    BinPut BINPUT b'q' Uint1 [] => [] 1
        "Puts the value on top into the memo, at a one-byte index.";
    LongBinPut LONG_BINPUT b'r' Uint4 [] => [] 1
        "Puts the value on top into the memo, at a four-byte index.";
    Memoize MEMOIZE 0x94 None [Any] => [Any] 4
        "Puts the value on top into the memo, at the index that is the memo's length.";
    Ext1 EXT1 0x82 Uint1 [] => [Any] 2
        "Pushes the global that is registered for a one-byte code.";
    Ext2 EXT2 0x83 Uint2 [] => [Any] 2
        "Pushes the global that is registered for a two-byte code.";
    Ext4 EXT4 0x84 Int4 [] => [Any] 2
        "Pushes the global that is registered for a four-byte code, which is positive.";
    Global GLOBAL b'c' StringLineNoEscapePair [] => [Any] 0
        "Pushes the global of which two lines give the module and the name.";
    StackGlobal STACK_GLOBAL 0x93 None [Str Str] => [Any] 4
        "Pushes the global of which the two strings on top give the module and the name.";
    Reduce REDUCE b'R' None [Any Any] => [Any] 0
        "Calls the callable below the top with the tuple of arguments on top.";
    Build BUILD b'b' None [Any Any] => [Any] 0
        "Gives the object below the top the state on top.";
    Inst INST b'i' StringLineNoEscapePair [Mark StackSlice] => [Any] 0
        "Makes an instance of a class that two lines name, from the arguments above the mark.";
    Obj OBJ b'o' None [Mark Any StackSlice] => [Any] 1
        "Makes an instance of the class just above the mark, from the arguments above it.";
    NewObj NEWOBJ 0x81 None [Any Any] => [Any] 2
        "Calls the `__new__` of the class below the top with the tuple of arguments on top.";
    NewObjEx NEWOBJ_EX 0x92 None [Any Any Any] => [Any] 4
        "Calls the `__new__` of a class with the tuple of arguments and the dict of keywords on top.";
    Proto PROTO 0x80 Uint1 [] => [] 2
        "Says of which protocol the pickle is.";
    Stop STOP b'.' None [Any] => [] 0
        "Ends the pickle; the value on top is what was pickled.";
    Frame FRAME 0x95 Uint8 [] => [] 4
        "Says how many of the following bytes belong together, so that they are read at once.";
    Persid PERSID b'P' StringLineNoEscape [] => [Any] 0
        "Pushes the object whose persistent id is a line of ASCII.";
    BinPersid BINPERSID b'Q' None [Any] => [Any] 1
        "Pushes the object whose persistent id is the value on top.";
}
