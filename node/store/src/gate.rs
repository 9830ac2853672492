//! Who may touch what is committed: the committer for one group, or somebody who wants a standing store (export, verify).
//! Those who want it to stand go first, so that a busy committer cannot keep them waiting for ever.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct State {
    inside: bool,
    want_standing: u32,
}

/// Lets one in at a time.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

/// Being inside; dropping it lets the next one in.
pub(crate) struct Inside<'g>(&'g Gate);

impl Gate {
    /// For the committer: waits until nobody is inside and nobody wants the store to stand.
    pub(crate) fn enter_to_write(&self) -> Inside<'_> {
        let mut state = self.wait_while(self.lock(), |state| state.inside || state.want_standing > 0);
        state.inside = true;
        Inside(self)
    }

    /// For export and verify: waits until nobody is inside, ahead of the committer.
    pub(crate) fn enter_standing(&self) -> Inside<'_> {
        let mut state = self.lock();
        state.want_standing += 1;
        let mut state = self.wait_while(state, |state| state.inside);
        state.want_standing -= 1;
        state.inside = true;
        Inside(self)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'g>(
        &self,
        state: MutexGuard<'g, State>,
        condition: impl Fn(&State) -> bool,
    ) -> MutexGuard<'g, State> {
        self.left.wait_while(state, |s| condition(s)).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.lock().inside = false;
        self.0.left.notify_all();
    }
}
