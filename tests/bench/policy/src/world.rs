//! The world of the benchmark: the same rules and questions at every run, for every engine.
//!
//! N rules over N/10 datasets (ten of them in a collection), 100 agencies in 10 groups in 3 larger groups, 27 purposes
//! in a tree of three levels, 5 actions, 5 classes; each rule has a class ceiling and a window of time; one in twenty
//! denies; 50 are about every dataset. All rules are of one tier, because no other engine here knows tiers: a
//! deny that matches wins, else a permit that matches, else no.

use std::collections::BTreeMap;

use policy::Minute;

/// Questions asked of each size; half of them made from a rule.
pub const QUESTIONS: usize = 2_000;
/// Agencies that ask.
const AGENCIES: usize = 100;
/// Rules about every dataset, so that at each size about as many rules bear on one question.
const GLOBAL_MAX: usize = 50;
/// 2026-01-01T00:00Z, in Unix minutes.
const YEAR_BEGINS: i64 = 29_453_760;
/// In the middle of the times that are asked about: 2026-09-08T00:00Z, Unix seconds.
pub const MIDDLE: i64 = (YEAR_BEGINS + 250 * DAY) * 60;
/// Minutes of a day.
const DAY: i64 = 1_440;
/// The five actions that every version of the rules has.
const ACTIONS: [&str; 5] = ["discover", "metadata", "query", "download", "subscribe"];

/// A generator that gives the same numbers at each run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        (number % limit.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// One rule, as every engine is told it.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// `*`, agency or group.
    pub subject: String,
    /// `*`, dataset or collection.
    pub object: String,
    /// `*` or an action.
    pub action: &'static str,
    /// `*` or a purpose.
    pub purpose: String,
    /// Highest class.
    pub class_to: u8,
    /// From this Unix minute on.
    pub from: i64,
    /// Until before this Unix minute.
    pub until: i64,
    /// Whether it denies.
    pub denies: bool,
}

/// One question.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which agency.
    pub subject: String,
    /// Which dataset.
    pub dataset: String,
    /// Which action.
    pub action: &'static str,
    /// Which purpose.
    pub purpose: String,
    /// Class of the dataset.
    pub class: u8,
    /// When, in Unix minutes.
    pub now: i64,
}

/// Rules, links and questions.
pub struct World {
    /// The rules, in the order of their ids.
    pub rows: Vec<Row>,
    /// Narrower name, broader name, and the section of the rule set that the link stands in.
    pub links: Vec<(&'static str, String, String)>,
    /// The questions.
    pub asked: Vec<Asked>,
}

impl World {
    /// The world with so many rules.
    pub fn of(rules: usize) -> Self {
        let mut dice = Dice(0x5EED_0000_0000_0001 ^ rules as u64);
        let datasets = (rules / 10).max(1);
        let rows: Vec<Row> = (0..rules).map(|at| row(at, rules, datasets, &mut dice)).collect();
        let asked = (0..QUESTIONS).map(|at| asked(at, &rows, datasets, &mut dice)).collect();
        Self { rows, links: links(datasets), asked }
    }

    /// Every name with itself and all that it stands under.
    pub fn above(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut direct: BTreeMap<&str, &str> = BTreeMap::new();
        for (_, from, to) in &self.links {
            direct.insert(from, to);
            direct.entry(to).or_insert("");
        }
        direct.keys().map(|name| (*name, chain(name, &direct))).collect()
    }
}

/// Each name of this world stands under one other at most.
fn chain<'a>(name: &'a str, direct: &BTreeMap<&'a str, &'a str>) -> Vec<&'a str> {
    let next = |name: &&'a str| direct.get(name).copied().filter(|up| !up.is_empty());
    std::iter::successors(Some(name), next).collect()
}

fn row(at: usize, rules: usize, datasets: usize, dice: &mut Dice) -> Row {
    let global = at < (rules / 2).min(GLOBAL_MAX);
    let object = match dice.below(5) {
        _ if global => "*".to_owned(),
        0 => format!("co:{}", dice.below(datasets.div_ceil(10))),
        _ => format!("ds:{}", dice.below(datasets)),
    };
    let subject = match dice.below(10) {
        0 if !global => "*".to_owned(),
        1 | 2 => format!("gr:large-{}", dice.below(3)),
        3..=5 => format!("gr:{}", dice.below(10)),
        _ => agency(dice.below(AGENCIES)),
    };
    let action = if dice.below(6) == 0 { "*" } else { dice.pick(&ACTIONS).copied().unwrap_or("*") };
    let purpose = match dice.below(4) {
        0 => "*".to_owned(),
        1 => format!("pu:{}", dice.below(3)),
        2 => purpose_of_second_level(dice.below(6)),
        _ => leaf(dice.below(18)),
    };
    let from = YEAR_BEGINS + dice.below(200) as i64 * DAY;
    Row {
        id: format!("R{at:06}"),
        subject,
        object,
        action,
        purpose,
        class_to: dice.below(5) as u8,
        from,
        until: from + (60 + dice.below(600) as i64) * DAY,
        denies: dice.below(20) == 0,
    }
}

fn asked(at: usize, rows: &[Row], datasets: usize, dice: &mut Dice) -> Asked {
    let mut number = dice.below(datasets);
    let mut asked = Asked {
        subject: agency(dice.below(AGENCIES)),
        dataset: String::new(),
        action: dice.pick(&ACTIONS).copied().unwrap_or("query"),
        purpose: leaf(dice.below(18)),
        class: 0,
        now: YEAR_BEGINS + dice.below(400) as i64 * DAY,
    };
    if let (0, Some(row)) = (at % 2, dice.pick(rows)) {
        if row.subject.starts_with("ag:") {
            asked.subject.clone_from(&row.subject);
        }
        if let Some(own) = row.object.strip_prefix("ds:").and_then(|own| own.parse().ok()) {
            number = own;
        }
        if row.action != "*" {
            asked.action = row.action;
        }
        if row.purpose != "*" {
            asked.purpose.clone_from(&row.purpose);
        }
        asked.now = row.from + dice.below((row.until - row.from) as usize) as i64;
    }
    // The class is the dataset's own: the same at each question.
    asked.class = (number * 7 % 5) as u8;
    asked.dataset = format!("ds:{number}");
    asked
}

fn agency(number: usize) -> String {
    format!("ag:urn:agency:vn:a{number}")
}

/// Purposes: 3, below each 2, below each of these 3.
fn purpose_of_second_level(number: usize) -> String {
    format!("pu:{}.{}", number / 2, number % 2)
}

fn leaf(number: usize) -> String {
    format!("{}.{}", purpose_of_second_level(number / 3), number % 3)
}

fn links(datasets: usize) -> Vec<(&'static str, String, String)> {
    let agencies = (0..AGENCIES).map(|at| ("g", agency(at), format!("gr:{}", at % 10)));
    let groups = (0..10).map(|at| ("g", format!("gr:{at}"), format!("gr:large-{}", at % 3)));
    let collections = (0..datasets).map(|at| ("g2", format!("ds:{at}"), format!("co:{}", at / 10)));
    let second = (0..6).map(|at| ("g3", purpose_of_second_level(at), format!("pu:{}", at / 2)));
    let leaves = (0..18).map(|at| ("g3", leaf(at), purpose_of_second_level(at / 3)));
    agencies.chain(groups).chain(collections).chain(second).chain(leaves).collect()
}

/// The time as rules write it.
pub fn written(minutes: i64) -> String {
    Minute::from_unix(minutes * 60).map_or_else(String::new, |minute| minute.to_string())
}
