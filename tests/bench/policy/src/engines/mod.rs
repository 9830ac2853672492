//! The engines side by side. Each is given every question in its own form, made beforehand; only judging is timed.

pub mod cedar;
pub mod rego;
pub mod stock;
pub mod tram;

use std::error::Error;

use crate::keyed::Keyed;
use crate::world::World;

/// Any error: a benchmark stops and says so.
pub type Fallible<T> = Result<T, Box<dyn Error>>;

/// What an engine said: its yes or no, and the rules that it names for it where it can name them, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Yes or no.
    pub permitted: bool,
    /// Ids of rules; `None` where the engine names none.
    pub named: Option<Named>,
}

/// Which rules an engine names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// All that matched.
    All(Vec<String>),
    /// Of those that matched, the ones with the effect that was decided.
    Deciding(Vec<String>),
}

/// Which rules an engine is given for a question.
#[derive(Clone, Copy)]
pub enum Given<'a> {
    /// Those that an index by object, action and subject leaves.
    Keyed(&'a Keyed, &'a World),
    /// Exactly those that the node gives to casbin.
    Same(&'a tram::Tram),
}

impl Given<'_> {
    /// Positions of the rules for the question with this number.
    ///
    /// # Errors
    /// When there is no such question.
    pub fn rules(&self, question: usize) -> Fallible<Vec<usize>> {
        match self {
            Self::Keyed(keyed, world) => {
                Ok(keyed.rules(world.asked.get(question).ok_or("no such question")?))
            }
            Self::Same(tram) => tram.candidates(question),
        }
    }
}

/// An engine with its rules loaded and its questions made.
pub trait Judge {
    /// Judges the question with this number, in full.
    ///
    /// # Errors
    /// The engine's own.
    fn judge(&mut self, question: usize) -> Fallible<()>;

    /// What it said to the question that it judged last.
    ///
    /// # Errors
    /// When there is nothing, or nothing that can be read.
    fn said(&self) -> Fallible<Answer>;
}
