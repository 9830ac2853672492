//! Random rule sets over few names, so that rules meet often.

use policy::RuleSet;

use super::{Dice, files};

pub const OBLIGATIONS: &str =
    r#"{"OB": {"audit": 1}, "STRICT": {"audit": 2, "rate_per_min": 6}, "OTHER": {"watermark": true}}"#;

/// A rule set with a reason for each deny.
pub fn rules(policy: &str, duties: &str, obligations: &str) -> RuleSet {
    let reason = |line: &str| {
        let id = line.split(", ").nth(1).unwrap();
        format!(
            r#""{id}": {{"legal_basis": {{"vi": "Điều 1", "en": "Art. 1", "mark": "M"}}, "text": {{"vi": "Không.", "en": "No."}}}}"#
        )
    };
    let denies: Vec<String> = policy.lines().filter(|line| line.contains(", deny")).map(reason).collect();
    let files = files(policy)
        .with("duties.csv", if duties.is_empty() { "# none\n" } else { duties })
        .with("obligations.json", obligations)
        .with("reasons.json", format!("{{{}}}", denies.join(",")));
    RuleSet::from_files(&files, 1).unwrap_or_else(|e| panic!("{policy}\n{:#?}", e.problems))
}

/// One random line of a rule set over few names, so that rules meet often.
pub fn random_grant(dice: &mut Dice, id: usize) -> String {
    let effect = if dice.chance(4) { "deny" } else { "allow" };
    let obligations = if effect == "deny" { "-" } else { *dice.pick(&["-", "-", "OB", "STRICT", "OTHER"]) };
    let basis = *dice.pick(&["*", "*", "+", "-", "bas:law", "bas:emergency"]);
    let until = if dice.chance(4) { "2027-01-01T00:00Z" } else { "9999-12-31T00:00Z" };
    let last = *dice.pick(&["", "", "", ", role=ro:doctor", ", clearance=2-9", ", place=pl:hanoi"]);
    format!(
        "p, G-{id}, {}, {}, {}, {}, {}, {}, {basis}, *, {}, 9, 2020-01-01T00:00Z, {until}, {obligations}, {effect}{last}\n",
        dice.pick(&["00", "10", "20", "20", "30"]),
        dice.pick(&["*", "ag:x", "ag:y", "gr:a", "gr:b"]),
        dice.pick(&["*", "*", "ds:a", "ds:b", "co:c", "tag:personal"]),
        dice.pick(&["*", "query", "download"]),
        dice.pick(&["*", "pu:p", "pu:q", "pu:r"]),
        dice.pick(&["*", "*", "+", "-"]),
        dice.pick(&["0", "0", "2"]),
    )
}

pub fn random_duty(dice: &mut Dice, id: usize) -> String {
    format!(
        "p, DU-{id}, 20, {}, {}, *, {}, 0, 9, 2020-01-01T00:00Z, 9999-12-31T00:00Z, {}, allow\n",
        dice.pick(&["*", "gr:a", "ag:y"]),
        dice.pick(&["*", "ds:a", "co:c"]),
        dice.pick(&["*", "pu:p"]),
        dice.pick(&["OB", "STRICT", "OTHER"]),
    )
}

pub const LINKS: [&str; 7] = [
    "g, ag:x, gr:a\n",
    "g, gr:a, gr:b\n",
    "g2, ds:a, co:c\n",
    "g2, ds:b, co:open\n",
    "g3, pu:p, pu:q\n",
    "g3, pu:p, pu:r\n",
    "g4, pl:ward, pl:hanoi\n",
];

#[derive(Clone, PartialEq)]
pub struct Draft {
    pub grants: Vec<String>,
    pub duties: Vec<String>,
    pub links: Vec<&'static str>,
    pub obligations: &'static str,
}

impl Draft {
    pub fn random(dice: &mut Dice) -> Self {
        Self {
            grants: (0..4 + dice.below(4)).map(|id| random_grant(dice, id)).collect(),
            duties: (0..dice.below(3)).map(|id| random_duty(dice, id)).collect(),
            links: LINKS.into_iter().filter(|link| dice.chance(2) && !link.contains("co:open")).collect(),
            obligations: OBLIGATIONS,
        }
    }

    /// One change of any kind.
    pub fn change(&mut self, dice: &mut Dice) {
        let at = dice.below(self.grants.len());
        let id: usize = self.grants[at].split(", ").nth(1).unwrap()[2..].parse().unwrap();
        let fresh = 100 + dice.below(1_000_000);
        match dice.below(8) {
            0 => self.grants.push(random_grant(dice, fresh)),
            1 if self.grants.len() > 1 => drop(self.grants.remove(at)),
            2 => self.grants[at] = random_grant(dice, id),
            3 => {
                // One column of one rule.
                let (own, other) = (self.grants[at].clone(), random_grant(dice, id));
                let (own, other): (Vec<_>, Vec<_>) =
                    (own.trim().split(", ").collect(), other.trim().split(", ").collect());
                let mut changed = own.clone();
                let column = 2 + dice.below(13);
                if own[15] == other[15] {
                    changed[column] = other[column];
                }
                self.grants[at] = format!("{}\n", changed.join(", "));
            }
            4 => self.duties.push(random_duty(dice, fresh)),
            5 => drop(self.duties.pop()),
            6 => {
                let link = *dice.pick(&LINKS);
                if self.links.contains(&link) {
                    self.links.retain(|other| *other != link);
                } else {
                    self.links.push(link);
                }
            }
            _ => {
                self.obligations = *dice.pick(&[
                    OBLIGATIONS,
                    r#"{"OB": {}, "STRICT": {"audit": 2, "rate_per_min": 6}, "OTHER": {"watermark": true}}"#,
                    r#"{"OB": {"audit": 1}, "STRICT": {"audit": 3, "rate_per_min": 6}, "OTHER": {"watermark": true}}"#,
                ]);
            }
        }
    }

    pub fn rules(&self) -> RuleSet {
        rules(
            &format!("{}{}", self.links.concat(), self.grants.concat()),
            &self.duties.concat(),
            self.obligations,
        )
    }
}
