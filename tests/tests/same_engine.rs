//! The same question gets the same answer everywhere: 10,000 random questions through the command line, the local door,
//! the library over the exported rules, and, for the exchanges that are really made, the gate.
//!
//! The door and the command line ask the gate itself (`Gate::look`); what an exchange adds is the record in the ledger.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping, its helpers too")]

use policy::{Engine, Facts, Question, RuleSet};
use serde_json::{Value, json};
use tests::scene::{ask, publish};
use tests::{Rules, TestNode, door, pair};

const PROVIDER: &str = "urn:agency:vn:same-provider";
const CONSUMER: &str = "urn:agency:vn:same-consumer";
const QUESTIONS: usize = 10_000;
const AT_ONCE: usize = 1_000;

/// A small generator: the test repeats exactly.
struct Dice(u64);

impl Dice {
    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from[(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % from.len()].clone()
    }
}

fn questions() -> Vec<Value> {
    let mut dice = Dice(0x5a3e_e291);
    let some = |word: &str| Some(word.to_owned());
    let purposes = [None, some("planning"), some("research"), some("health"), some("nobody-s")];
    let bases = [None, some("law"), some("law"), some("consent"), some("emergency")];
    (0..QUESTIONS)
        .map(|_| {
            json!({
                "subject": dice.pick(&[CONSUMER, CONSUMER, CONSUMER, PROVIDER, "urn:agency:vn:stranger"]),
                "dataset": dice.pick(&["lon", "air", "people", "not-there"]),
                "action": dice.pick(&["discover", "metadata", "query", "query", "download", "subscribe", "call"]),
                "purpose": dice.pick(&purposes),
                "basis": dice.pick(&bases),
            })
        })
        .collect()
}

fn rules() -> Rules {
    Rules::new()
        .allow(
            "state",
            "query",
            "lon",
            "planning",
            json!({"retention_days": 30, "mask": {"luot_xe": "null"}}),
        )
        .allow("state", "*", "air", "research", json!({"max_rows": 5, "no_onward": true}))
        .allow("state", "query", "people", "health", json!({"audit": 2}))
        .allow("state", "download", "people", "planning", json!({}))
        .deny("air", "research", ["Luật", "Law"], ["không", "no"])
        .deny("lon", "health", ["Luật", "Law"], ["không", "no"])
}

/// One call of the local door, by hand: its status and what it answers.
fn post(node: &TestNode, body: &Value) -> (u16, Value) {
    let answer = door::ask(node, "POST", "/v1/policy/decide", &body.to_string()).unwrap();
    (answer.status, answer.json())
}

fn by_command(node: &TestNode, questions: &[Value]) -> Vec<Value> {
    let file = node.desk().join("questions.ndjson");
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    std::fs::write(&file, lines).unwrap();
    let told = node.json(&["policy", "decide", "--in", &file.to_string_lossy()]);
    told["decisions"].as_array().unwrap().clone()
}

fn by_door(node: &TestNode, questions: &[Value]) -> Vec<Value> {
    let call = |some| {
        let (status, answer) = post(node, &json!({"questions": some}));
        assert_eq!(status, 200, "{answer}");
        answer["decisions"].as_array().unwrap().clone()
    };
    questions.chunks(AT_ONCE).flat_map(call).collect()
}

fn library(node: &TestNode) -> Engine {
    let folder = node.desk().join("exported");
    node.ok(&["policy", "export", &folder.to_string_lossy()]);
    let version = node.json(&["policy", "show"])["rule_set"]["version"].as_u64().unwrap();
    Engine::new(RuleSet::from_folder(&folder, version).unwrap()).unwrap()
}

/// What was asked, but for the second in which it was.
fn timeless(question: &Value) -> Value {
    let mut question = question.clone();
    question.as_object_mut().unwrap().remove("now");
    question
}

#[test]
fn ten_thousand_questions_get_one_answer_each_everywhere() {
    let (provider, consumer) =
        (TestNode::up(PROVIDER, "Sở Xây dựng"), TestNode::up(CONSUMER, "Phường Nghĩa Đô"));
    rules().apply(&provider);
    for name in ["lon", "air", "people"] {
        let file = provider.desk().join(format!("{name}.csv"));
        std::fs::write(&file, "nut_giao,luot_xe\nHoàng Quốc Việt,120\n").unwrap();
        publish(&provider, &file, name, &[]);
    }
    pair(&provider, &consumer);

    let asked = questions();
    let (told, answered, engine) =
        (by_command(&provider, &asked), by_door(&provider, &asked), library(&provider));
    assert_eq!((told.len(), answered.len()), (QUESTIONS, QUESTIONS));
    let (mut permits, mut denied, mut nothing) = (0, 0, 0);
    for (told, answered) in told.iter().zip(&answered) {
        assert_eq!(timeless(&told["question"]), timeless(&answered["question"]));
        assert_eq!(told["decision"], answered["decision"], "{}", told["question"]);
        let question: Question = serde_json::from_value(told["question"].clone()).unwrap();
        let facts: Facts = serde_json::from_value(told["facts"].clone()).unwrap();
        let decided = engine.decide(&question, &facts);
        assert_eq!(serde_json::to_value(&decided).unwrap(), told["decision"], "{question:?}");
        assert_eq!(*engine.decide_cached(&question, &facts), decided);
        match told["decision"]["code"].as_str() {
            None => permits += 1,
            Some("RULE-DENIES") => denied += 1,
            Some(_) => nothing += 1,
        }
    }
    assert!(
        permits > 500 && denied > 100 && nothing > 1_000,
        "too few of a kind: {permits} {denied} {nothing}"
    );
    the_gate_says_the_same(&provider, &consumer, &told);
}

/// Exchanges that are really asked for, permitted and refused.
fn the_gate_says_the_same(provider: &TestNode, consumer: &TestNode, told: &[Value]) {
    let exchanges =
        [("lon", "planning", 0), ("lon", "health", 3), ("people", "health", 0), ("air", "planning", 3)];
    for (dataset, purpose, code) in exchanges {
        let what = format!("{PROVIDER}/{dataset}");
        let out = format!("{dataset}-{purpose}.csv");
        let made =
            ask(consumer, &what, &out, &["--purpose", purpose, "--basis", "law"]).expect_code(code).json();
        let id = made["id"].as_str().unwrap();
        let kept = provider.json(&["exchange", "decisions", id]);
        let kept = kept["decisions"].as_array().unwrap();
        assert!(!kept.is_empty(), "{dataset} {purpose}");
        for record in kept {
            let question = &record["question"];
            let same = |one: &&Value| {
                ["subject", "dataset", "action", "purpose", "basis"]
                    .iter()
                    .all(|field| one["question"][field] == question[field])
            };
            let alike = told.iter().find(same).unwrap_or_else(|| panic!("nobody asked {question}"));
            assert_eq!(record["decision"], alike["decision"], "{question}");
        }
    }
}

#[test]
fn a_batch_is_bounded_and_a_bad_question_is_named() {
    let node = TestNode::up("urn:agency:vn:same-alone", "Một nút");
    let file = node.desk().join("bad.ndjson");
    let good = json!({"subject": CONSUMER, "dataset": "lon", "action": "query"});
    std::fs::write(
        &file,
        format!("{good}\n{}\n", json!({"subject": CONSUMER, "dataset": "lon", "action": "steal"})),
    )
    .unwrap();
    let told = node.cmd(&["policy", "decide", "--in", &file.to_string_lossy()]).expect_code(2).stderr;
    assert!(told.contains("question 2") && told.contains("steal"), "{told}");
    std::fs::write(&file, format!("{good}\nno json\n")).unwrap();
    let told = node.cmd(&["policy", "decide", "--in", &file.to_string_lossy()]).expect_code(2).stderr;
    assert!(told.contains("bad.ndjson:2"), "{told}");
    let many = vec![good; AT_ONCE + 1];
    let (status, answer) = post(&node, &json!({"questions": many}));
    assert_eq!((status, answer["decisions"].is_null()), (413, true), "{answer}");
}
