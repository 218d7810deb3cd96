//! Text, numbers and bytes.

use super::*;

impl Walker<'_> {
    /// Writes a short string or a number, which most objects are; false, and nothing is written, for
    /// others.
    #[inline(always)]
    pub(in crate::pickler) fn save_leaf(&mut self, obj: &Object) -> PyResult<bool> {
        if !self.state.layouts_known {
            return Ok(false);
        }
        if let Some(text) = obj.cast_exact::<Str>() {
            let mut memo = self.pickler.memo.borrow_mut();
            let place = match memo.look(obj).map_err(no_memory)? {
                Found::Index(index) => {
                    drop(memo);
                    return self.out.get(index).map(|()| true).map_err(|e| self.too_large(e));
                }
                Found::Vacant(place) => place,
            };
            let Some(ascii) = text.ascii().filter(|ascii| ascii.len() < FRAME_TARGET) else {
                return Ok(false);
            };
            if !self.out.is_binary() || self.pickler.fast.get() != 0 {
                return Ok(false);
            }
            let index = memo.insert_at(place, obj.own()).map_err(no_memory)?;
            drop(memo);
            let written = self.out.payload_memoized(Payload::Text, ascii, index as i64);
            return written.map(|()| true).map_err(|e| self.too_large(e));
        }
        if let Some(int) = obj.cast_exact::<Int>() {
            let Some(Ok(value)) = int.compact().map(i32::try_from) else { return Ok(false) };
            self.out.int(value);
            return Ok(true);
        }
        if !obj.is_none() {
            return Ok(false);
        }
        self.out.none();
        Ok(true)
    }

    pub(super) fn save_int(&mut self, obj: &Object) -> PyResult<()> {
        let Some(int) = obj.cast::<Int>() else { return Ok(()) };
        if let Some(value) = int.as_i64().and_then(|value| i32::try_from(value).ok()) {
            self.out.int(value);
        } else if self.out.long_is_binary() {
            let bytes = int.to_le_bytes()?;
            self.out.long(&bytes).map_err(|e| self.too_large(e))?;
        } else {
            let digits = int.repr()?;
            let digits = digits.cast::<Str>().and_then(Str::utf8).unwrap_or_default();
            self.out.long_digits(digits);
        }
        Ok(())
    }

    pub(super) fn save_float(&mut self, obj: &Object) -> PyResult<()> {
        let Some(float) = obj.cast::<Float>() else { return Ok(()) };
        if self.out.is_binary() {
            self.out.float(float.value());
        } else {
            self.out.float_digits(&float.digits()?);
        }
        Ok(())
    }

    /// Writes most strings that the memo has not.
    #[inline]
    pub(super) fn save_short_str(&mut self, obj: Obj) -> PyResult<()> {
        let utf8 = if self.out.is_binary() { obj.cast::<Str>().and_then(Str::utf8) } else { None };
        let Some(utf8) = utf8.filter(|utf8| utf8.len() < FRAME_TARGET) else {
            return self.save_str(obj);
        };
        let index = self.pickler.memo.borrow().len() as i64;
        self.out.payload_memoized(Payload::Text, utf8, index).map_err(|e| self.too_large(e))?;
        drop(self.pickler.memo.borrow_mut().insert(obj, index).map_err(no_memory)?);
        Ok(())
    }

    #[inline(never)]
    pub(super) fn save_str(&mut self, obj: Obj) -> PyResult<()> {
        let Some(text) = obj.cast::<Str>() else { return Ok(()) };
        self.tick_for(text.len());
        if !self.out.is_binary() {
            match text.code_points() {
                CodePoints::One(points) if points.is_ascii() => self.out.ascii_line(points),
                CodePoints::One(points) => {
                    self.out.unicode_line(points.iter().map(|&point| u32::from(point)));
                }
                CodePoints::Two(points) => {
                    self.out.unicode_line(points.iter().map(|&point| u32::from(point)));
                }
                CodePoints::Four(points) => self.out.unicode_line(points.iter().copied()),
            }
        } else if let Some(utf8) = text.utf8() {
            if utf8.len() >= FRAME_TARGET && self.write.is_some() {
                let payload = Bytes::new(utf8)?;
                self.write_apart(Payload::Text, utf8.len(), &payload)?;
            } else {
                self.out.payload(Payload::Text, utf8).map_err(|e| self.too_large(e))?;
            }
        } else {
            let encoded = text.utf8_surrogatepass()?;
            self.save_payload(Payload::Text, &encoded, encoded.as_slice())?;
        }
        self.memoize(obj)
    }

    /// A large object takes the time of many: signals are looked for with the next.
    fn tick_for(&mut self, length: usize) {
        if length >= FRAME_TARGET {
            self.ticks = 1;
        }
    }

    /// Writes the content of `obj`, which is given beside it.
    fn save_payload(&mut self, kind: Payload, obj: &Object, data: &[u8]) -> PyResult<()> {
        self.tick_for(data.len());
        if data.len() >= FRAME_TARGET && self.write.is_some() {
            return self.write_apart(kind, data.len(), obj);
        }
        self.out.payload(kind, data).map_err(|e| self.too_large(e))
    }

    /// Writes a large payload straight to the file, in one piece.
    fn write_apart(&mut self, kind: Payload, length: usize, payload: &Object) -> PyResult<()> {
        self.out.payload_apart(kind, length).map_err(|e| self.too_large(e))?;
        self.flush()?;
        match self.write.clone() {
            Some(write) => write.call1(payload).map(drop),
            None => Ok(()),
        }
    }

    #[inline(never)]
    pub(super) fn save_bytes(&mut self, obj: Obj) -> PyResult<()> {
        let Some(bytes) = obj.cast::<Bytes>() else { return Ok(()) };
        if self.out.protocol() >= 3 {
            self.save_payload(Payload::Bytes, bytes, bytes.as_slice())?;
            return self.memoize(obj);
        }
        // Protocols of Python 2: a str there, and by way of an encoding bytes here.
        let reduced = if bytes.as_slice().is_empty() {
            [types::bytes().own(), empty_tuple()?]
        } else {
            let text = Str::from_latin1(bytes.as_slice())?.into_obj();
            let args = Tuple::from_items([text, self.state.names.latin1.clone()])?;
            [self.state.codecs_encode.clone(), args.into_obj()]
        };
        self.reduce_as(obj, reduced)
    }

    #[inline(never)]
    pub(super) fn save_bytearray(&mut self, obj: Obj) -> PyResult<()> {
        let Some(bytes) = obj.cast::<ByteArray>() else { return Ok(()) };
        if self.out.protocol() >= 5 {
            let length = bytes.as_slice().len();
            if length >= FRAME_TARGET && self.write.is_some() {
                self.write_apart(Payload::ByteArray, length, bytes)?;
            } else {
                self.out
                    .payload(Payload::ByteArray, bytes.as_slice())
                    .map_err(|e| self.too_large(e))?;
            }
            return self.memoize(obj);
        }
        let args = if bytes.as_slice().is_empty() {
            empty_tuple()?
        } else {
            Tuple::from_items([Bytes::from_object(bytes)?.into_obj()])?.into_obj()
        };
        self.reduce_as(obj, [types::bytearray().own(), args])
    }

    #[inline(never)]
    pub(super) fn save_picklebuffer(&mut self, obj: Obj) -> PyResult<()> {
        if self.out.protocol() < 5 {
            return Err(raise(
                &self.state.pickling_error,
                if self.state.version.can_be_pickled {
                    "PickleBuffer can only be pickled with protocol >= 5"
                } else {
                    "PickleBuffer can only pickled with protocol >= 5"
                },
            ));
        }
        let mut view = View::of_pickle_buffer(&obj)?;
        if !view.is_plain() {
            return Err(raise(
                &self.state.pickling_error,
                "PickleBuffer can not be pickled when pointing to a non-contiguous buffer",
            ));
        }
        let mut held = None;
        if let Some(callback) = self.buffer_callback.clone() {
            let is_readonly = view.is_readonly();
            // A callback in Python could release the buffer under us. Most are `list.append`.
            if !callback.is_builtin_function() {
                held = Some(Buffer::full(&obj)?);
            }
            if !callback.call1(&obj)?.is_true()? {
                self.out.op(Opcode::NextBuffer);
                if is_readonly {
                    self.out.op(Opcode::ReadonlyBuffer);
                }
                return Ok(());
            }
            view = match held.as_ref() {
                Some(held) => held,
                None => View::of_pickle_buffer(&obj)?,
            };
        }
        let kind = if view.is_readonly() { Payload::Bytes } else { Payload::ByteArray };
        if view.len() >= FRAME_TARGET && self.write.is_some() {
            self.write_apart(kind, view.len(), &obj)?;
        } else {
            self.out.payload(kind, view.as_slice()).map_err(|e| self.too_large(e))?;
        }
        drop(held);
        self.memoize(obj)
    }
}
