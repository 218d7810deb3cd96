//! REDUCE of functions of which it is known what they do: no Python needs to run for that.

use super::PyHeap;
use super::stretch::Stretch;
use crate::ffi::builtins::CodePoints;
use crate::ffi::collector::Pause;
use crate::ffi::{Bytes, Obj, Object, Own, PyResult, Str, Tuple, Type, error, make, types};

impl<const RECALLS: bool> Stretch<'_, '_, RECALLS> {
    /// REDUCE, which ends at `at`, of such a function. False, and nothing is done, if it is another.
    #[inline(always)]
    pub(super) fn call_known(&mut self, at: usize) -> PyResult<bool> {
        let Some(start) = self.pair() else { return Ok(false) };
        let (state, function) = (self.heap.state, &self.stack[start]);
        if state.is_reconstructor(function) {
            self.reconstruct(start, at)
        } else if function.is(&state.codecs_encode) && function.is_builtin_function() {
            self.encode(start, at)
        } else {
            self.unpack(start, at)
        }
    }

    /// `copyreg._reconstructor`, by which protocols 0 and 1 make instances. All that it does is to call
    /// the `__new__` of a built-in class; here, of `object` and `tuple`.
    #[inline(never)]
    fn reconstruct(&mut self, start: usize, at: usize) -> PyResult<bool> {
        let Some([class, base, content]) = arguments(&self.stack[start + 1]) else {
            return Ok(false);
        };
        let Some(of) = class.cast::<Type>().map(Type::own_view) else { return Ok(false) };
        if base.is(types::object()) {
            if !self.makes_plainly(&of) {
                return Ok(false);
            }
            self.let_called_go();
            self.instantiate(&of, at)?;
        } else if base.is(types::tuple()) && content.cast_exact::<Tuple>().is_some() {
            let tuple = self.heap.state.tuple_new.call2(&of, content)?;
            self.let_called_go();
            self.push_new(tuple, at)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// `codecs.encode(text, "latin1")`, by which protocols 0 to 2 write bytes.
    #[inline(never)]
    fn encode(&mut self, start: usize, at: usize) -> PyResult<bool> {
        let Some([text, encoding]) = arguments(&self.stack[start + 1]) else { return Ok(false) };
        let is_latin1 = encoding.cast_exact::<Str>().is_some_and(|name| name.equals("latin1"));
        let Some(text) = text.cast_exact::<Str>().filter(|_| is_latin1).map(Str::own_view) else {
            return Ok(false);
        };
        if !self.latin1_is_known()? {
            return Ok(false);
        }
        let CodePoints::One(points) = text.code_points() else { return Ok(false) };
        let bytes = Bytes::new(points).map(Own::into_obj)?;
        self.let_called_go();
        self.push_new(bytes, at)?;
        Ok(true)
    }

    /// Whether the encoding is the interpreter's own. Programs can register others. The first time, the
    /// memo of an Unpickler may be handed over here, and this says no.
    fn latin1_is_known(&mut self) -> PyResult<bool> {
        if self.heap.ahead.plans.encodes_as_ever() {
            return Ok(true);
        }
        self.pause = None;
        self.heap.settle(self.stack)?;
        let encoder = error::quietly(make::encoder(c"latin1"));
        self.pause = Some(Pause::begin());
        let known = encoder.is_some_and(|encoder| encoder.is(&self.heap.state.latin1_encode));
        if known {
            self.heap.ahead.plans.note_encoder();
        }
        Ok(known && !self.is_handed_over())
    }

    /// A class of `datetime`, called with packed bytes.
    #[inline(always)]
    fn unpack(&mut self, start: usize, at: usize) -> PyResult<bool> {
        let Some([packed]) = arguments(&self.stack[start + 1]) else { return Ok(false) };
        match packed.cast_exact::<Bytes>() {
            Some(_) => self.unpack_bytes(start, at),
            None => Ok(false),
        }
    }

    #[inline(never)]
    fn unpack_bytes(&mut self, start: usize, at: usize) -> PyResult<bool> {
        let [class, args] = &self.stack[start..] else { return Ok(false) };
        let PyHeap { ahead, state, .. } = &mut *self.heap;
        let maker = class.cast::<Type>().and_then(|class| {
            let number = ahead.plans.find(state, class);
            ahead.plans.get(number).datetime.as_ref()
        });
        let packed = arguments(args).and_then(|[packed]| packed.cast_exact::<Bytes>());
        let made = maker.zip(packed).and_then(|(maker, packed)| maker.make(packed.as_slice()));
        let Some(made) = made else { return Ok(false) };
        self.let_called_go();
        self.push_new(made, at)?;
        Ok(true)
    }

    /// Lets a function and its arguments go, which are on top.
    fn let_called_go(&mut self) {
        for _ in 0..2 {
            if let Some(object) = self.stack.pop() {
                self.let_go(object);
            }
        }
    }
}

/// So many arguments.
#[inline(always)]
fn arguments<const N: usize>(args: &Obj) -> Option<[&Object; N]> {
    args.cast_exact::<Tuple>()?.items().try_into().ok()
}
