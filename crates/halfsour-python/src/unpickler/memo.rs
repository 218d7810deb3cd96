//! The Unpickler's memo as Python code sees it.
//!
//! Values leave the memo before they are dropped, and are copied out before they are shown: their
//! finalisers may use the memo too.

use super::{Unpickler, new_memo};
use crate::ffi::builtins::as_ssize;
use crate::ffi::class::{Body, MemberObject, Visitor};
use crate::ffi::error::{Exc, Part, no_memory, raise, raise_parts};
use crate::ffi::{Dict, Int, Obj, Object, Own, PyResult, Tuple, types};
use crate::state::State;
use halfsour::Memo;
use std::ffi::c_int;
use std::ops::ControlFlow;

/// What `Unpickler.memo` gives: a view, not the memo itself.
pub(crate) struct UnpicklerMemoProxy {
    owner: MemberObject,
}

impl Body for UnpicklerMemoProxy {
    /// A proxy that Python code has made itself is of no unpickler.
    fn new() -> UnpicklerMemoProxy {
        UnpicklerMemoProxy { owner: MemberObject::empty() }
    }

    fn visit(&self, visitor: &mut Visitor<'_>) -> ControlFlow<c_int> {
        self.owner.visit(visitor)
    }

    fn clear(&self) {
        self.owner.set(None);
    }
}

impl UnpicklerMemoProxy {
    /// The unpickler as an object.
    pub(crate) fn owner(&self) -> Option<Obj> {
        self.owner.get()
    }

    fn entries(&self) -> Vec<(usize, Obj)> {
        self.unpickler().map_or_else(Vec::new, |unpickler| unpickler.memo_entries())
    }
}

impl Unpickler {
    fn memo_entries(&self) -> Vec<(usize, Obj)> {
        self.memo.borrow().iter().map(|(index, value)| (index, value.clone())).collect()
    }

    /// Puts a new memo in; the old one's values go when no one can see it any more.
    fn replace_memo(&self, memo: Memo<Obj>) {
        drop(self.memo.replace(memo));
    }
}

/// `Unpickler.memo`
pub(crate) fn get_memo(state: &State, this: &Object, _unpickler: &Unpickler) -> PyResult<Obj> {
    let proxy = UnpicklerMemoProxy::new();
    proxy.owner.set(Some(this.own()));
    state.new_unpickler_memo_proxy(proxy)
}

/// `Unpickler.memo = value`
pub(crate) fn set_memo(
    state: &State,
    _this: &Object,
    unpickler: &Unpickler,
    value: Option<&Object>,
) -> PyResult<()> {
    let Some(value) = value else {
        return Err(raise(&Exc::TypeError, "attribute deletion is not supported"));
    };
    let mut memo = new_memo();
    if let Some(proxy) = state.unpickler_memo_proxy(value) {
        for (index, value) in proxy.entries() {
            drop(memo.put(index, value).map_err(|_| no_memory())?);
        }
    } else if let Some(dict) = value.cast::<Dict>() {
        let mut position = 0;
        while let Some((key, value)) = dict.next_item(&mut position) {
            if key.cast::<Int>().is_none() {
                return Err(raise(&Exc::TypeError, "memo key must be integers"));
            }
            let Ok(index) = usize::try_from(as_ssize(&key)?) else {
                return Err(raise(&Exc::ValueError, "memo key must be positive integers."));
            };
            drop(memo.put(index, value).map_err(|_| no_memory())?);
        }
    } else {
        return Err(raise_parts(
            &Exc::TypeError,
            "'memo' attribute must be an UnpicklerMemoProxy object or dict, not {}",
            &[Part::TypeName(value)],
        ));
    }
    unpickler.replace_memo(memo);
    Ok(())
}

/// `Unpickler.memo.clear()`
pub(crate) fn memo_proxy_clear(
    _state: &State,
    _this: &Object,
    proxy: &UnpicklerMemoProxy,
) -> PyResult<Obj> {
    if let Some(unpickler) = proxy.unpickler() {
        unpickler.replace_memo(new_memo());
    }
    Ok(Object::none().own())
}

/// `Unpickler.memo.copy()`
pub(crate) fn memo_proxy_copy(
    _state: &State,
    _this: &Object,
    proxy: &UnpicklerMemoProxy,
) -> PyResult<Obj> {
    copy(proxy).map(Own::into_obj)
}

/// `Unpickler.memo.__reduce__()`
pub(crate) fn memo_proxy_reduce(
    _state: &State,
    _this: &Object,
    proxy: &UnpicklerMemoProxy,
) -> PyResult<Obj> {
    let args = Tuple::from_items([copy(proxy)?.into_obj()])?;
    Tuple::from_items([types::dict().own(), args.into_obj()]).map(Own::into_obj)
}

fn copy(proxy: &UnpicklerMemoProxy) -> PyResult<Own<Dict>> {
    let dict = Dict::new()?;
    for (index, value) in proxy.entries() {
        dict.set(&*Int::from_address(index)?, &value)?;
    }
    Ok(dict)
}
