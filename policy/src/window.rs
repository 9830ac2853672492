//! For how long a decision stays the same when only time passes.
//!
//! Time enters a decision at edges alone: where a rule's window opens or closes, where an agreement begins or ends. Between
//! the two edges nearest to the question's time the answer cannot change; a cache may keep it there and nowhere else.

/// From the last edge that has passed until before the next one, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    at: i64,
    from: i64,
    until: i64,
}

impl Window {
    /// A window around this time that no edge has narrowed yet.
    pub fn around(at: i64) -> Self {
        Self { at, from: i64::MIN, until: i64::MAX }
    }

    /// Takes an edge into account: a second at which something begins or ends.
    pub fn edge(&mut self, second: i64) {
        if second <= self.at {
            self.from = self.from.max(second);
        } else {
            self.until = self.until.min(second);
        }
    }

    /// No time at all: the decision is not to be kept.
    pub fn close(&mut self) {
        (self.from, self.until) = (self.at, self.at);
    }

    /// Whether a time lies in it.
    pub fn holds(&self, second: i64) -> bool {
        (self.from..self.until).contains(&second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_edges_bound_it_and_an_edge_belongs_to_what_it_begins() {
        let mut window = Window::around(100);
        assert!(window.holds(i64::MIN) && window.holds(i64::MAX - 1));
        [10, 100, 50, 120, 101, 300].into_iter().for_each(|edge| window.edge(edge));
        let held: Vec<i64> = (95..105).filter(|at| window.holds(*at)).collect();
        assert_eq!(held, [100]);
        let mut closed = Window::around(7);
        closed.close();
        assert!((6..9).all(|at| !closed.holds(at)));
    }
}
