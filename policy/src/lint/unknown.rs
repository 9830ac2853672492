//! Names in rules that nothing defines: often a slip of the pen, and a rule that then protects or opens nothing.
//!
//! Told once for each name. A name is judged only where its kind is known: datasets when the node's datasets are,
//! purposes when there is a vocabulary or a tree, and so on. Legal bases, units,
//! roles of persons and routes have no vocabulary and are not judged.

use std::collections::{BTreeMap, HashSet};

use super::context::LintContext;
use super::finding::{Finding, FindingCode, Severity, said};
use super::survey::Survey;
use crate::columns::{Cell, FIELDS, cell};
use crate::explain::Field;
use crate::ids::RuleId;
use crate::linkage::Linkage;
use crate::mask::Mask;
use crate::rule::LinkKind;
use crate::rule_set::RuleSet;
use crate::standing::{FOREIGN, RESERVED, groups_of, marks_of, owner_name};

/// Zones that every node knows.
const ZONES: [&str; 2] = ["net:gov", "net:internet"];
/// Most names for which a like one is looked for, and most names it is looked for among.
const GUESSES_MAX: usize = 100;
const GUESS_AMONG_MAX: usize = 5_000;

/// Looks at every name of every grant and duty.
pub(super) fn check(survey: &mut Survey<'_>) {
    let known = Known::of(survey.rules, survey.context);
    let mut unknown: BTreeMap<&str, Vec<&RuleId>> = BTreeMap::new();
    for seen in survey.grants.iter().chain(&survey.duties) {
        for field in FIELDS {
            if let Cell::Name(name) = cell(seen.rule, field)
                && known.lacks(field, name)
            {
                unknown.entry(name).or_default().push(&seen.rule.id);
            }
        }
    }
    let mut found = Vec::new();
    for (at, (name, rules)) in unknown.into_iter().enumerate() {
        let like = (at < GUESSES_MAX).then(|| known.like(name)).flatten();
        found.push(finding(name, &rules, like));
    }
    found.extend(linkages(survey));
    for finding in found {
        survey.findings.add(finding);
    }
}

/// Linkage keys that masks name and the node does not hold: nothing leaves under these rules.
fn linkages(survey: &Survey<'_>) -> Vec<Finding> {
    let Some(held) = &survey.context.linkages else { return Vec::new() };
    let mut lacking: BTreeMap<&Linkage, Vec<&RuleId>> = BTreeMap::new();
    for seen in survey.grants.iter().chain(&survey.duties) {
        for mask in survey.obligations(seen.rule).mask.values() {
            if let Mask::Linkage(linkage) = mask
                && !held.contains_key(linkage)
            {
                lacking.entry(linkage).or_default().push(&seen.rule.id);
            }
        }
    }
    lacking.into_iter().map(|(linkage, rules)| lacking_key(linkage, &rules)).collect()
}

fn lacking_key(linkage: &Linkage, rules: &[&RuleId]) -> Finding {
    let text = said(
        format!("Nút này không giữ khóa liên kết `{linkage}`, nên theo các quy tắc đó không dòng nào ra."),
        format!("This node does not hold the linkage key `{linkage}`, so nothing leaves under these rules."),
    );
    let todo = said(
        "Xem tên đúng bằng `tram linkage list`; tạo khóa bằng `tram linkage new`, hoặc nhập tệp bên kia đưa bằng `tram linkage import`.",
        "See the exact names with `tram linkage list`; make one with `tram linkage new`, or import the other party's file with `tram linkage import`.",
    );
    named(Finding::new(FindingCode::UnknownName, Severity::Error, text, todo), rules)
}

struct Known<'a> {
    names: HashSet<&'a str>,
    owners: HashSet<String>,
    places: bool,
    datasets: bool,
    parties: bool,
    purposes: bool,
    agreements: bool,
}

impl<'a> Known<'a> {
    fn of(rules: &'a RuleSet, context: &'a LintContext) -> Self {
        let mut names: HashSet<&str> = RESERVED.into_iter().chain(ZONES).chain([FOREIGN]).collect();
        let mut owners = HashSet::new();
        names.extend(rules.links().iter().flat_map(|link| [link.from.as_str(), link.to.as_str()]));
        for (id, dataset) in context.datasets.iter().flatten() {
            names.insert(id.as_str());
            names.extend(marks_of(&dataset.facts).unwrap_or_default());
            owners.insert(owner_name(&dataset.facts));
        }
        for (id, party) in context.parties.iter().flatten() {
            names.insert(id.as_str());
            names.extend(groups_of(rules.invariants(), party).unwrap_or_default());
        }
        names.extend(context.groups.iter().map(|group| group.as_str()));
        names.extend(context.purposes.iter().flatten().map(|purpose| purpose.as_str()));
        names.extend(context.agreements.iter().flatten().map(|agreement| agreement.as_str()));
        names.extend(context.zones.iter().map(|zone| zone.as_str()));
        let tree = |kind| rules.links().iter().any(|link| link.kind == kind);
        Self {
            names,
            owners,
            places: tree(LinkKind::Place),
            datasets: context.datasets.is_some(),
            parties: context.parties.is_some(),
            purposes: context.purposes.is_some() || tree(LinkKind::Purpose),
            agreements: context.agreements.is_some(),
        }
    }

    fn lacks(&self, field: Field, name: &str) -> bool {
        let judged = match kind(name) {
            // An agency states the roles of its people; nobody lists them here.
            "ro:" if field == Field::Role => false,
            "ds:" | "co:" | "tag:" | "se:" | "ow:" => self.datasets,
            // A country by its two letters is where a party's seat is; no link is needed.
            "pl:" => self.places && name.len() != "pl:vn".len(),
            "ag:" | "us:" | "gr:" | "ro:" => self.parties,
            "pu:" => self.purposes,
            "agr:" => self.agreements,
            "net:" => true,
            _ => false,
        };
        judged && !self.names.contains(name) && !self.owners.contains(name)
    }

    /// A known name of the same kind that differs by one or two characters.
    fn like(&self, name: &str) -> Option<&'a str> {
        if self.names.len() > GUESS_AMONG_MAX {
            return None;
        }
        let same_kind = self.names.iter().copied().filter(|known| kind(known) == kind(name));
        let near =
            same_kind.map(|known| (distance(name, known), known)).filter(|(distance, _)| *distance <= 2);
        near.min().map(|(_, known)| known)
    }
}

/// The prefix, colon included.
fn kind(name: &str) -> &str {
    name.find(':').and_then(|at| name.get(..=at)).unwrap_or_default()
}

/// How many characters must be put in, taken out or replaced (Levenshtein); 3 stands for more. Names are ASCII.
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len().abs_diff(other.len()) > 2 {
        return 3;
    }
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, a) in one.iter().enumerate() {
        let mut next = Vec::with_capacity(last.len());
        next.push(row + 1);
        for ((b, diagonal), up) in other.iter().zip(&last).zip(last.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(usize::MAX);
            next.push((diagonal + usize::from(a != b)).min(up + 1).min(left + 1));
        }
        last = next;
    }
    last.last().copied().unwrap_or(3).min(3)
}

fn finding(name: &str, rules: &[&RuleId], like: Option<&str>) -> Finding {
    let count = rules.len();
    if kind(name) == "pu:" && like.is_none() {
        // Anybody may state a purpose in words that nobody listed, so the rule does match those who do.
        let text = said(
            format!("Mục đích `{name}` chỉ có trong quy tắc ({count}): nó khớp khi bên hỏi ghi đúng từ đó."),
            format!(
                "Only rules ({count}) speak of the purpose `{name}`: it matches where a request states that very word."
            ),
        );
        let todo = said(
            "Nếu đúng ý thì thôi; nên đặt nó vào cây mục đích (g3) và thêm câu mẫu.",
            "Fine if meant; better put it into the tree of purposes (g3) and add a case.",
        );
        return named(Finding::new(FindingCode::UnknownName, Severity::Note, text, todo), rules);
    }
    let text = said(
        format!(
            "Không có gì định nghĩa tên `{name}` ({count} quy tắc dùng nó), nên các quy tắc đó không khớp với gì."
        ),
        format!("Nothing defines the name `{name}` ({count} rules use it), so they match nothing now."),
    );
    let todo = match like {
        Some(like) => said(
            format!(
                "Có phải muốn viết `{like}`? Nếu không, hãy sửa tên, thêm liên kết, hoặc đăng ký tên đó."
            ),
            format!("Is `{like}` meant? Otherwise correct the name, link it, or register it."),
        ),
        None => said(
            "Sửa tên, thêm liên kết (g, g2, g3, g4), thêm bộ dữ liệu (`tram dataset add`), hoặc kết nối bên đó (`tram peer invite`).",
            "Correct the name, link it (g, g2, g3, g4), add the dataset (`tram dataset add`), or pair with the party (`tram peer invite`).",
        ),
    };
    named(Finding::new(FindingCode::UnknownName, Severity::Warning, text, todo), rules)
}

fn named(finding: Finding, rules: &[&RuleId]) -> Finding {
    let mut rules = rules.iter().copied();
    let first = rules.next();
    let finding = finding.with(rules);
    match first {
        Some(rule) => finding.of(rule),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn the_distance_counts_characters_put_in_taken_out_and_replaced() {
        for (one, other, want) in [
            ("pu:a", "pu:a", 0),
            ("pu:research", "pu:reserch", 1),
            ("pu:ab", "pu:ba", 2),
            ("pu:", "pu:abc", 3),
            ("pu:abcdef", "pu:uvwxyz", 3),
        ] {
            assert_eq!(distance(one, other), want, "{one} {other}");
            assert_eq!(distance(other, one), want, "{other} {one}");
        }
    }
}
