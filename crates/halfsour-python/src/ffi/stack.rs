//! The stack of a load: values are moved to it and from it without checks for what cannot be.

use super::error::{PyResult, no_memory};
use super::object::Obj;

/// Pushes a value or a mark, if there is memory for it.
#[inline(always)]
pub(crate) fn push<T>(stack: &mut Vec<T>, value: T) -> PyResult<()> {
    let length = stack.len();
    if length == stack.capacity() && stack.try_reserve(1).is_err() {
        return Err(no_memory());
    }
    // SAFETY: there is room for one more, which is set before it counts. `Vec::push` would look again,
    // and be no inline code.
    unsafe {
        stack.as_mut_ptr().add(length).write(value);
        stack.set_len(length + 1);
    }
    Ok(())
}

/// Moves what is on a stack, from `start` on, so many objects at a time. What is not taken out of the
/// iterator is leaked.
#[inline(always)]
pub(crate) fn moved<const N: usize>(
    stack: &mut Vec<Obj>,
    start: usize,
) -> impl Iterator<Item = [Obj; N]> {
    let start = start.min(stack.len());
    let items: *const [[Obj; N]] = stack[start..].as_chunks().0;
    // SAFETY: what was on the stack from `start` on is there no more, and is read once. It stays where it
    // is while the stack is borrowed.
    unsafe {
        stack.set_len(start);
        (*items).iter().map(|items| std::ptr::read(items))
    }
}
