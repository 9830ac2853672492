//! A list cut into pages. Pages are numbered from 1; one past the end is an empty page and no error, because harvesters go on
//! until they meet it.

/// One page of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its number, from 1.
    pub number: usize,
    /// How many things stand on a page.
    pub size: usize,
    /// How many things there are in all.
    pub total: usize,
}

impl Page {
    /// A page; number and size are at least 1.
    pub fn new(number: usize, size: usize, total: usize) -> Self {
        Page { number: number.max(1), size: size.max(1), total }
    }

    /// The last page's number: 1 where there is nothing.
    pub fn last(&self) -> usize {
        self.total.div_ceil(self.size).max(1)
    }

    /// The page before, where there is one.
    pub fn previous(&self) -> Option<usize> {
        (self.number > 1).then(|| (self.number - 1).min(self.last()))
    }

    /// The page after, where there is one.
    pub fn next(&self) -> Option<usize> {
        (self.number < self.last()).then(|| self.number + 1)
    }

    /// The things on it, out of all.
    pub fn cut<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let from = (self.number - 1).saturating_mul(self.size).min(all.len());
        let to = from.saturating_add(self.size).min(all.len());
        &all[from..to]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_each_thing_once() {
        for total in 0..12 {
            let all: Vec<usize> = (0..total).collect();
            for size in 1..5 {
                let mut seen = Vec::new();
                let mut number = Some(1);
                while let Some(n) = number {
                    let page = Page::new(n, size, total);
                    seen.extend_from_slice(page.cut(&all));
                    number = page.next();
                }
                assert_eq!(seen, all, "{total} by {size}");
                assert!(Page::new(usize::MAX, size, total).cut(&all).is_empty());
            }
        }
        assert_eq!(Page::new(0, 0, 5), Page { number: 1, size: 1, total: 5 });
        assert_eq!(Page::new(9, 2, 5).previous(), Some(3));
    }
}
