//! Traps of casbin, each shown on casbin where that is possible, and each shown not to catch this crate. The numbers are
//! those of the study of casbin 2.20 that the design rests on; when casbin changes, the half about casbin fails first.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use casbin::{CoreApi, DefaultModel, EnforceContext, Enforcer, Model, RoleManager};
use common::plain::at_once;
use common::{dataset, engine, facts, files, grant, party, question};
use policy::{Action, Engine, LoadError, ProblemCode, Question, ReasonCode, RuleSet, SharingKind};

const GRANT_MODEL: &str = include_str!("../models/grant.conf");
const DUTY_MODEL: &str = include_str!("../models/duty.conf");
const ALLOW_SOME: &str = "some(where (p.eft == allow))";

/// A model with these definitions.
fn model(request: &str, rule: &str, effect: &str, matcher: &str) -> String {
    format!(
        "[request_definition]\nr = {request}\n[policy_definition]\np = {rule}\n[role_definition]\ng = _, _\ng2 = _, _\n\
         [policy_effect]\ne = {effect}\n[matchers]\nm = {matcher}\n"
    )
}

/// casbin as it comes with this model and these rows of `p`.
fn casbin_of(model: &str, rows: &[&[&str]]) -> Enforcer {
    let mut model = at_once(DefaultModel::from_str(model));
    for row in rows {
        model.add_policy("p", "p", row.iter().map(|cell| (*cell).to_owned()).collect());
    }
    at_once(Enforcer::new_raw(model, ()))
}

fn refused(policy: &str) -> LoadError {
    RuleSet::from_files(&files(policy), 1).expect_err("a trap was loaded")
}

/// A good row with one text in it replaced is refused for this.
fn refused_with(from: &str, to: &str, code: ProblemCode) {
    let good = grant("R", "30", "ag:a", "ds:x", "query", "allow");
    assert!(good.contains(from), "{from}");
    let error = refused(&good.replacen(from, to, 1));
    assert!(error.has(code), "{from} -> {to}: {:?}", error.problems);
}

fn permits(engine: &Engine, asked: &Question) -> bool {
    engine.decide(asked, &facts(party(&[]), dataset(1, SharingKind::Default))).is_permit()
}

#[test]
fn q1_links_of_datasets_do_not_speak_for_agencies() {
    let text = model("sub", "sub", ALLOW_SOME, "g(r.sub, p.sub)");
    let mut model = at_once(DefaultModel::from_str(&text));
    model.add_policy("p", "p", vec!["statistics".into()]);
    model.add_policy("g", "g2", vec!["tax-office".into(), "statistics".into()]);
    let mut enforcer = at_once(Enforcer::new_raw(model, ()));
    enforcer.build_role_links().unwrap();
    assert!(enforcer.enforce(("tax-office",)).unwrap(), "casbin has one graph for g and g2");

    let good = grant("R", "30", "gr:statistics", "ds:x", "query", "allow");
    for link in
        ["g2, tax-office, statistics", "g2, ag:tax-office, gr:statistics", "g2, ds:tax, gr:statistics"]
    {
        assert!(refused(&format!("{good}{link}\n")).has(ProblemCode::Name), "{link}");
    }
}

#[test]
fn q2_there_is_one_context_no_cache_of_casbin_and_no_second_section() {
    // Q2, Q3 and Q16 need casbin's CachedEnforcer: it is not built at all. Q2b: a deny of a second section permits.
    let text = "[request_definition]\nr = sub\nr2 = sub\n[policy_definition]\np = sub, eft\np2 = sub, eft\n\
                [policy_effect]\ne = some(where (p.eft == allow))\ne2 = some(where (p.eft == allow))\n\
                [matchers]\nm = r.sub == p.sub\nm2 = r2.sub == p2.sub\n";
    let mut model = at_once(DefaultModel::from_str(text));
    model.add_policy("p", "p2", vec!["tax".into(), "deny".into()]);
    let enforcer = at_once(Enforcer::new_raw(model, ()));
    let answer = enforcer.enforce_with_context(EnforceContext::new("2"), ("tax",));
    assert!(answer.unwrap(), "casbin looks for the literal `p_eft`");

    let good = grant("R", "30", "ag:a", "ds:x", "query", "allow");
    assert!(refused(&format!("{good}p2, tax, deny\n")).has(ProblemCode::SectionUnknown));
    // Q2c, and every other change of the model.
    for (from, to) in [("e = ", "e2 = "), ("p = ", "p2 = "), ("p.eft", "p2.eft"), ("m = ", "m2 = ")] {
        let changed = files(&good).with("grant.conf", GRANT_MODEL.replacen(from, to, 1));
        let error = RuleSet::from_files(&changed, 1).expect_err(to);
        assert!(error.has(ProblemCode::ModelDiffers), "{to}");
    }
    let manifest =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")).unwrap();
    let line = manifest.lines().find(|line| line.starts_with("casbin = ")).unwrap();
    assert!(line.contains("default-features = false"), "{line}");
    assert!(line.contains(r#"features = ["runtime-tokio", "incremental"]"#), "{line}");
}

#[test]
fn q4_an_effect_that_casbin_does_not_know_cannot_be_given() {
    for effect in ["priority(p.eft)  || deny", "most(where (p.eft == allow))"] {
        let enforcer = casbin_of(&model("sub", "sub, eft", effect, "r.sub == p.sub"), &[&["tax", "allow"]]);
        let asked = catch_unwind(AssertUnwindSafe(|| enforcer.enforce(("tax",))));
        assert!(asked.is_err(), "casbin panics at the first question: {effect}");
    }
    assert!(GRANT_MODEL.contains("\ne = priority(p.eft) || deny\n"));
    assert!(DUTY_MODEL.contains("\ne = some(where (p.eft == allow))\n"));
    for effect in ["e = priority(p.eft)  || deny", "e = some(where (p.eft == allow))"] {
        let other = files(&grant("R", "30", "*", "*", "*", "allow"))
            .with("grant.conf", GRANT_MODEL.replace("e = priority(p.eft) || deny", effect));
        assert!(RuleSet::from_files(&other, 1).unwrap_err().has(ProblemCode::ModelDiffers), "{effect}");
    }
}

#[test]
fn q5_nothing_is_not_a_permit() {
    let enforcer = casbin_of(&model("sub", "sub", ALLOW_SOME, "p.sub == \"\" || r.sub == p.sub"), &[]);
    assert!(enforcer.enforce(("anybody",)).unwrap(), "casbin judges empty texts when there are no rules");
    assert!(refused("").has(ProblemCode::NoRules));
    assert!(refused("# nothing\n").has(ProblemCode::NoRules));
    refused_with("ag:a", "", ProblemCode::FieldBlank);
    let elsewhere = engine(&files(&grant("R", "30", "*", "ds:other", "*", "allow")));
    assert!(!permits(&elsewhere, &question("ag:a", Action::Query, "ds:x")));
}

#[test]
fn q6_rows_that_casbin_takes_in_silence_are_refused() {
    let text =
        model("sub, act", "sub, act, eft", "priority(p.eft) || deny", "r.sub == p.sub && r.act == p.act");
    let short = casbin_of(&text, &[&["other", "read"], &["tax", "read", "allow"]]);
    assert!(short.enforce(("tax", "read")).is_err(), "one short row, and every question is an error");
    let misspelt = casbin_of(&text, &[&["tax", "read", "DENY"], &["tax", "read", "allow"]]);
    assert!(misspelt.enforce(("tax", "read")).unwrap(), "a misspelt deny lets the permit win");
    let mut model = at_once(DefaultModel::from_str(&text));
    assert!(!model.add_policy("p", "p9", vec!["tax".into(), "read".into(), "deny".into()]), "dropped");

    let good = grant("R", "30", "ag:a", "ds:x", "query", "allow");
    assert!(refused(&format!("{good}p, S, 30, ag:a\n")).has(ProblemCode::FieldCount));
    for word in ["DENY", "Deny", "denied", "allow ."] {
        refused_with(", allow", &format!(", {word}"), ProblemCode::Effect);
    }
    for section in ["p9", "P", "e", "m"] {
        let row = good.replacen("p,", &format!("{section},"), 1);
        assert!(refused(&format!("{good}{row}")).has(ProblemCode::SectionUnknown), "{section}");
    }
}

#[test]
fn q7_and_q12_no_text_of_a_rule_is_ever_run() {
    let text = model("sub", "rule", ALLOW_SOME, "eval(p.rule)");
    let broken = casbin_of(&text, &[&["r.sub =="], &["r.sub == \"tax\""]]);
    assert!(broken.enforce(("tax",)).is_err(), "one rule that does not parse is an error for everybody");

    for model in [GRANT_MODEL, DUTY_MODEL] {
        for word in ["eval", "ipMatch", "regexMatch", "keyMatch", "keyGet", "globMatch"] {
            assert!(!model.contains(word), "{word}");
        }
    }
    let code = "loop { }";
    for column in ["ag:a", "ds:x", "query", "30", "2020-01-01T00:00Z", "-", "allow"] {
        let row = grant("R", "30", "ag:a", "ds:x", "query", "allow").replacen(column, code, 1);
        RuleSet::from_files(&files(&row), 1).expect_err(column);
    }
}

#[test]
fn q8_time_goes_on_after_2038() {
    let text = model("now", "until", ALLOW_SOME, "r.now < p.until");
    let enforcer = casbin_of(&text, &[&["4102444800000"]]);
    let answer = enforcer.enforce((1_795_161_600_000_i64,));
    assert!(!matches!(answer, Ok(true)), "casbin's integers have 32 bits: {answer:?}");

    let engine =
        engine(&files(&grant("R", "30", "*", "*", "*", "allow").replace("9999-12-31", "2040-01-01")));
    let at = |now: i64| {
        let mut asked = question("ag:a", Action::Query, "ds:x");
        asked.now = now;
        permits(&engine, &asked)
    };
    assert!(at(2_147_483_647) && at(2_147_483_648) && at(2_208_988_799));
    assert!(!at(2_208_988_800), "2040-01-01T00:00Z");
    for time in ["1767225600", "1767225600000", "2026-1-1T00:00Z", "2026-01-01", "2026-01-01T00:00:00Z"] {
        refused_with("2020-01-01T00:00Z", time, ProblemCode::Time);
    }
}

#[test]
fn q9_no_pattern_can_panic() {
    let text = model("obj", "obj", ALLOW_SOME, "regexMatch(r.obj, p.obj)");
    let enforcer = casbin_of(&text, &[&["("]]);
    let asked = catch_unwind(AssertUnwindSafe(|| enforcer.enforce(("x",))));
    assert!(!matches!(asked, Ok(Ok(_))), "casbin panics, or fails, over a pattern that an editor wrote");
    for (from, to) in [("ds:x", "ds:("), ("ds:x", "("), ("ag:a", "ag:[a-z]"), ("ds:x", "ds:*")] {
        refused_with(from, to, ProblemCode::Name);
    }
    refused_with("*, 0, 9", "10.0.0.0/33, 0, 9", ProblemCode::Name);
}

#[test]
fn q10_and_q11_tiers_order_the_rules_and_all_that_matched_are_named() {
    let text = model("sub", "tier, sub, eft", "priority(p.eft) || deny", "r.sub == p.sub");
    let enforcer = casbin_of(&text, &[&["10", "tax", "allow"], &["1", "tax", "deny"]]);
    assert!(enforcer.enforce(("tax",)).unwrap(), "for casbin the order in the file is the priority");

    let rows = [
        ("A", "30", "allow"),
        ("B", "10", "deny"),
        ("C", "10", "deny"),
        ("D", "10", "allow"),
        ("E", "20", "deny"),
    ];
    let policy: String = rows.iter().map(|(id, tier, eft)| grant(id, tier, "*", "*", "*", eft)).collect();
    let decision = engine(&files(&policy)).decide(
        &question("ag:a", Action::Query, "ds:x"),
        &facts(party(&[]), dataset(1, SharingKind::Default)),
    );
    let ids = |rules: &[policy::RuleId]| rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assert_eq!(decision.refusal().unwrap().code(), ReasonCode::RuleDenies);
    assert_eq!((ids(&decision.matched), ids(&decision.overridden)), ("B C D".into(), "E A".into()));
}

#[test]
fn q13_obligations_stand_in_a_file_of_their_own() {
    refused_with("-, allow", r#"{"max_rows": 1}, allow"#, ProblemCode::Id);
    refused_with("-, allow", r#"{"max_rows": 1, "mask": {"a": "hash"}}, allow"#, ProblemCode::Id);
    refused_with("-, allow", r#""OB", allow"#, ProblemCode::Id);
}

#[test]
fn q14_links_have_no_depth() {
    let mut manager = casbin::DefaultRoleManager::new(10);
    (0..12).for_each(|at| manager.add_link(&format!("g{at}"), &format!("g{}", at + 1), None));
    assert!(!manager.has_link("g0", "g12", None), "casbin stops in silence");

    let chain: String = (0..60).map(|at| format!("g, gr:{at}, gr:{}\n", at + 1)).collect();
    let rules = format!("g, ag:a, gr:0\n{chain}{}", grant("R", "30", "gr:60", "*", "*", "allow"));
    assert!(permits(&engine(&files(&rules)), &question("ag:a", Action::Query, "ds:x")));
    assert!(!permits(&engine(&files(&rules)), &question("ag:b", Action::Query, "ds:x")));
}

#[test]
fn q19_nothing_switches_judging_off() {
    let needle = concat!("enable_", "enforce(");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut todo, mut read) = (vec![root], 0);
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                todo.push(path);
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains(needle), "{} switches casbin off", path.display());
                read += 1;
            }
        }
    }
    assert!(read > 100, "only {read} sources were found");
}

#[test]
fn q20_a_hundred_engines_need_no_thread_each() {
    let threads = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Threads:")).map(str::trim);
        line.and_then(|count| count.parse::<usize>().ok()).unwrap_or(0)
    };
    let before = threads();
    let rules = RuleSet::builtin(1).unwrap();
    let engines: Vec<Engine> = (0..100).map(|_| Engine::new(rules.clone()).unwrap()).collect();
    // Other tests of this file have a few threads of their own.
    assert!(threads() < before + 50, "{} engines, {} threads", engines.len(), threads());
}

#[test]
fn q21_what_is_absent_is_not_taken_for_something() {
    let mut asked = casbin::rhai::Map::new();
    asked.insert("name".into(), "tax".into());
    let text = model("ctx", "sub", ALLOW_SOME, "r.ctx.withdrawn != true && r.ctx.name == p.sub");
    let enforcer = casbin_of(&text, &[&["tax"]]);
    assert!(
        enforcer.enforce(vec![casbin::rhai::Dynamic::from(asked)]).unwrap(),
        "an absent attribute is not `true`"
    );

    // A question is total: what is left out where it must be said is an error, and so is what is not known.
    let whole = serde_json::to_value(question("ag:a", Action::Query, "ds:x")).unwrap();
    for field in ["subject", "action", "dataset", "network", "now"] {
        let mut less = whole.clone();
        less.as_object_mut().unwrap().remove(field);
        assert!(serde_json::from_value::<Question>(less).is_err(), "{field}");
    }
    let mut more = whole;
    more["withdrawn"] = false.into();
    assert!(serde_json::from_value::<Question>(more).is_err());
}

#[test]
fn q22_numbers_are_compared_as_the_texts_they_are_written_as() {
    let rows: &[&[&str]] = &[&["3"]];
    let at_most = casbin_of(&model("lvl", "lvl", ALLOW_SOME, "r.lvl <= p.lvl"), rows);
    let not_equal = casbin_of(&model("lvl", "lvl", ALLOW_SOME, "r.lvl != p.lvl"), rows);
    assert!(!at_most.enforce((1,)).unwrap(), "1 is not at most \"3\"");
    assert!(not_equal.enforce((3,)).unwrap(), "3 is not \"3\"");

    let up_to =
        |class: &str| grant("R", "30", "*", "*", "*", "allow").replace("0, 9,", &format!("0, {class},"));
    let engine = engine(&files(&up_to("3")));
    let decide = |class| {
        engine
            .decide(
                &question("ag:a", Action::Query, "ds:x"),
                &facts(party(&[]), dataset(class, SharingKind::Default)),
            )
            .is_permit()
    };
    assert!((0..=3).all(decide) && !(4..=8).any(decide));
    for class in ["10", "03", "x", "-1"] {
        assert!(refused(&up_to(class)).has(ProblemCode::Class), "{class}");
    }
}

#[test]
fn q23_names_stand_in_rules_and_never_in_a_matcher() {
    let text = model("sub", "sub", ALLOW_SOME, "r.sub == \"https://p.gov\"");
    let enforcer = casbin_of(&text, &[&["any"]]);
    assert!(!enforcer.enforce(("https://p.gov",)).unwrap(), "casbin rewrites the literal");
    assert!(enforcer.enforce(("https://p_gov",)).unwrap(), "to this");

    let named = "ag:https://p.gov/r.sub";
    let engine = engine(&files(&grant("R", "30", named, "*", "*", "allow")));
    assert!(permits(&engine, &question(named, Action::Query, "ds:x")));
    assert!(!permits(&engine, &question("ag:https://p_gov/r_sub", Action::Query, "ds:x")));
    for model in [GRANT_MODEL, DUTY_MODEL] {
        let matcher = model.lines().find(|line| line.starts_with("m = ")).unwrap();
        let literals: Vec<&str> = matcher.split('"').skip(1).step_by(2).collect();
        assert!(literals.iter().all(|literal| ["*", "+", "-"].contains(literal)), "{literals:?}");
    }
}
