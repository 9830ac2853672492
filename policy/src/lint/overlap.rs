//! Allows and denies that meet in part: in one tier the deny wins there; a more authoritative allow wins over a deny.
//!
//! Meant so very often ("all but these"), so they are told once for each deny, not once for each pair. Two rules are
//! said to meet only when in each column one name is the other or stands above it; two groups that happen to share a
//! member are not seen.

use std::collections::HashMap;

use super::finding::{Finding, FindingCode, Severity, said};
use super::names::{Name, Names};
use super::survey::{Seen, Survey};
use crate::columns::moves_content;
use crate::explain::Field;
use crate::ids::RuleId;
use crate::limits::OVERLAPS_MAX;
use crate::rule::RuleEffect;

/// Allows that one deny meets.
#[derive(Default)]
struct Met {
    same_tier: Vec<usize>,
    above: Vec<usize>,
}

impl Met {
    fn full(&self) -> bool {
        self.same_tier.len() >= OVERLAPS_MAX && self.above.len() >= OVERLAPS_MAX
    }
}

/// Names the overlaps.
pub(super) fn check(survey: &mut Survey<'_>) {
    let (denies, allows): (Vec<usize>, Vec<usize>) = (0..survey.grants.len())
        .partition(|at| survey.grants.get(*at).is_some_and(|seen| seen.rule.effect == RuleEffect::Deny));
    let mut met: HashMap<usize, Met> = denies.iter().map(|at| (*at, Met::default())).collect();
    broader_allows(survey, &denies, &allows, &mut met);
    narrower_allows(survey, &denies, &allows, &mut met);
    for deny in denies {
        if let Some(met) = met.remove(&deny) {
            tell(survey, deny, &met);
        }
    }
}

fn by_object(survey: &Survey<'_>, places: &[usize]) -> HashMap<Name, Vec<usize>> {
    let mut map: HashMap<Name, Vec<usize>> = HashMap::new();
    for at in places {
        if let Some(seen) = survey.grants.get(*at) {
            map.entry(seen.whole.name(Field::Dataset)).or_default().push(*at);
        }
    }
    map
}

/// Allows about something above what a deny is about.
fn broader_allows(survey: &Survey<'_>, denies: &[usize], allows: &[usize], met: &mut HashMap<usize, Met>) {
    let allows = by_object(survey, allows);
    for deny in denies {
        let Some(object) = survey.grants.get(*deny).map(|seen| seen.whole.name(Field::Dataset)) else {
            continue;
        };
        let any = (object != Names::ANY).then_some(Names::ANY);
        let keys: Vec<Name> = survey.names.above(object).iter().copied().chain(any).collect();
        for list in keys.iter().filter_map(|key| allows.get(key)) {
            if !survey.may_compare(list.len()) {
                return;
            }
            for allow in list {
                hold(survey, *deny, *allow, met);
            }
        }
    }
}

/// Allows about the same thing as a deny, or something under it.
fn narrower_allows(survey: &Survey<'_>, denies: &[usize], allows: &[usize], met: &mut HashMap<usize, Met>) {
    let mut denies = by_object(survey, denies);
    for allow in allows {
        let Some(object) = survey.grants.get(*allow).map(|seen| seen.whole.name(Field::Dataset)) else {
            continue;
        };
        let any = (object != Names::ANY).then_some(Names::ANY);
        let keys: Vec<Name> = survey.names.above(object).iter().copied().chain([object]).chain(any).collect();
        for key in keys {
            let Some(list) = denies.get_mut(&key) else { continue };
            if !survey.may_compare(list.len()) {
                return;
            }
            list.retain(|deny| {
                hold(survey, *deny, *allow, met);
                met.get(deny).is_some_and(|met| !met.full())
            });
        }
    }
}

fn hold(survey: &Survey<'_>, deny: usize, allow: usize, met: &mut HashMap<usize, Met>) {
    let (Some(no), Some(yes), Some(met)) =
        (survey.grants.get(deny), survey.grants.get(allow), met.get_mut(&deny))
    else {
        return;
    };
    let (Some(deny_live), Some(allow_live)) = (no.live, yes.live) else { return };
    let same_tier = no.rule.tier == yes.rule.tier;
    let list = if same_tier { &mut met.same_tier } else { &mut met.above };
    // What covers the other whole is told as shadowed.
    let whole = if same_tier {
        survey.names.covers(&no.whole, &allow_live)
    } else {
        survey.names.covers(&yes.whole, &deny_live)
    };
    if yes.rule.tier <= no.rule.tier
        && list.len() < OVERLAPS_MAX
        && !whole
        && survey.names.meet(&deny_live, &allow_live)
    {
        list.push(allow);
    }
}

fn tell(survey: &mut Survey<'_>, deny: usize, met: &Met) {
    let Some(deny) = survey.grants.get(deny).map(|seen| seen.rule) else { return };
    let seen = |list: &[usize]| -> Vec<Seen<'_>> {
        let mut list = list.to_vec();
        list.sort_unstable();
        list.iter().filter_map(|at| survey.grants.get(*at)).copied().collect()
    };
    let (same, above) = (seen(&met.same_tier), seen(&met.above));
    let mut found = Vec::new();
    if !same.is_empty() {
        found.push(overlap(&deny.id, &same));
    }
    if !above.is_empty() {
        found.push(overruled(&deny.id, &above, moves_content(deny)));
    }
    for finding in found {
        survey.findings.add(finding);
    }
}

fn count(list: &[Seen<'_>]) -> String {
    if list.len() >= OVERLAPS_MAX { format!("≥ {OVERLAPS_MAX}") } else { list.len().to_string() }
}

fn overlap(deny: &RuleId, allows: &[Seen<'_>]) -> Finding {
    let count = count(allows);
    let text = said(
        format!(
            "Lệnh cấm `{deny}` chồng lên quy tắc cho phép cùng tầng ({count}); ở phần chồng nhau, lệnh cấm thắng."
        ),
        format!("The deny `{deny}` overlaps allows of its tier ({count}); where they meet the deny wins."),
    );
    let todo = said(
        "Nếu đúng ý muốn (cho phép, trừ…) thì không cần làm gì; nếu không, hãy thu hẹp một trong hai.",
        "Nothing, if that is meant (all but these); otherwise narrow one of the two.",
    );
    let others = allows.iter().map(|seen| &seen.rule.id);
    Finding::new(FindingCode::Overlap, Severity::Note, text, todo).of(deny).with(others)
}

fn overruled(deny: &RuleId, allows: &[Seen<'_>], content: bool) -> Finding {
    let count = count(allows);
    let text = said(
        format!(
            "Lệnh cấm `{deny}` bị quy tắc cho phép ở tầng cao hơn ({count}) vô hiệu hoá một phần: dữ liệu vẫn đi ở phần đó."
        ),
        format!(
            "The deny `{deny}` is overruled in part by allows of a more authoritative tier ({count}): there the answer stays yes."
        ),
    );
    let todo = said(
        "Xem phần chồng nhau có đúng ý không; muốn cấm cả phần đó thì lệnh cấm phải ở tầng có thẩm quyền ngang hoặc cao hơn.",
        "See whether that is meant; to forbid it there too, the deny must stand in a tier of equal or higher authority.",
    );
    // That a dataset can be seen although it cannot be had is usual.
    let moves = content && allows.iter().any(|seen| moves_content(seen.rule));
    let severity = if moves { Severity::Warning } else { Severity::Note };
    let others = allows.iter().map(|seen| &seen.rule.id);
    Finding::new(FindingCode::Overruled, severity, text, todo).of(deny).with(others)
}
