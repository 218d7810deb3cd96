//! `persistent_id`, and what it returns.

use super::*;

impl Walker<'_> {
    pub(super) fn has_no_persistent_id(&self) -> bool {
        #[cfg(not(Py_3_13))]
        return self.this.is_none() || self.pickler.persistent_id.attribute.borrow().is_none();
        #[cfg(Py_3_13)]
        self.id_hook.is_none()
    }

    /// What the hook says of an object; None where there is no hook.
    #[inline(always)]
    pub(super) fn ask_for_persistent_id(
        &mut self,
        this: &Object,
        obj: &Object,
    ) -> PyResult<Option<Obj>> {
        #[cfg(not(Py_3_13))]
        if self.id_hook_changes != self.pickler.persistent_id.changes.get() {
            self.look_at_id_hook();
        }
        match &self.id_hook {
            None => Ok(None),
            Some(hook) if hook.unbound => hook.function.call2(this, obj).map(Some),
            Some(hook) => hook.function.call1(obj).map(Some),
        }
    }

    /// Looks what the hook for persistent ids is; it may be set while the pickler runs.
    #[cfg(not(Py_3_13))]
    #[cold]
    pub(super) fn look_at_id_hook(&mut self) {
        let hook = &self.pickler.persistent_id;
        self.id_hook_changes = hook.changes.get();
        let old = std::mem::replace(&mut self.id_hook, hook.hook());
        drop(old);
    }

    /// Modules/_pickle.c: `save_pers`, for an object that has a persistent id.
    #[inline(never)]
    pub(super) fn save_persistent_id(&mut self, pid: Obj) -> PyResult<()> {
        if !self.out.is_binary() {
            let text = pid.to_str()?;
            if !text.is_ascii() {
                return Err(raise(
                    &self.state.pickling_error,
                    "persistent IDs in protocol 0 must be ASCII strings",
                ));
            }
            self.out.line(Opcode::Persid, text.utf8().unwrap_or_default());
            return Ok(());
        }
        self.deepen()?;
        // The frame has nothing to say about failures, so it may stand before its child.
        self.push(Frame::PersistentId)?;
        let depth = self.frames.len();
        self.save(pid, true)?;
        if self.frames.len() == depth {
            self.finish_persistent_id();
        }
        Ok(())
    }

    pub(super) fn finish_persistent_id(&mut self) {
        self.out.op(Opcode::BinPersid);
        self.depth -= 1;
        self.frames.pop();
    }
}
