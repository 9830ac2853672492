//! regorus: the rules as data, one Rego rule that says when one of them matches, run by its virtual machine.

use std::collections::BTreeMap;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Rc, Value};
use serde_json::json;

use super::{Answer, Fallible, Given, Judge, Named};
use crate::world::{Row, World};

/// The cheapest comparisons first, and each name's broader names looked up once.
const POLICY: &str = r#"package tram
import rego.v1

hits contains [r.eft, r.id] if {
    subjects := data.above[input.sub]
    objects := data.above[input.obj]
    purposes := data.above[input.pur]
    actions := data.actions[input.act]
    some r in SOURCE
    objects[r.obj]
    actions[r.act]
    subjects[r.sub]
    input.cls <= r.cls
    input.now >= r.nbf
    input.now < r.exp
    purposes[r.pur]
}
"#;
/// What is asked for.
const ENTRY: &str = "data.tram.hits";
/// No limit that a scan of all rules would meet; the default ends at some thousand rules.
const INSTRUCTIONS: usize = 1_000_000_000;

/// regorus with its data and questions.
pub struct Rego {
    machine: RegoVM,
    asked: Vec<Value>,
    last: Option<Value>,
}

/// regorus that is given, for each question, only some of the rules.
pub struct Indexed<'a> {
    rego: Rego,
    rules: Vec<Value>,
    given: Given<'a>,
    key: Value,
}

impl Rego {
    /// Loads the rules and makes the questions.
    ///
    /// # Errors
    /// regorus'.
    pub fn new(world: &World) -> Fallible<Self> {
        Self::over("data.rules", world)
    }

    fn over(source: &str, world: &World) -> Fallible<Self> {
        let mut engine = Engine::new();
        engine.add_policy("tram.rego".to_owned(), POLICY.replace("SOURCE", source))?;
        let entry: Rc<str> = Rc::from(ENTRY);
        let compiled = engine.compile_with_entrypoint(&entry)?;
        let program = Compiler::compile_from_policy(&compiled, &[ENTRY])?;
        let mut machine = RegoVM::new();
        machine.set_max_instructions(INSTRUCTIONS);
        machine.load_program(program);
        machine.set_data(value(&data(world))?)?;
        let asked = world.asked.iter().map(|asked| {
            value(&json!({
                "sub": asked.subject, "obj": asked.dataset, "act": asked.action, "pur": asked.purpose,
                "cls": asked.class, "now": asked.now,
            }))
        });
        Ok(Self { machine, asked: asked.collect::<Fallible<_>>()?, last: None })
    }

    /// The same with an index before it.
    ///
    /// # Errors
    /// regorus'.
    pub fn indexed<'a>(world: &World, given: Given<'a>) -> Fallible<Indexed<'a>> {
        let rules = world.rows.iter().map(|row| value(&rule(row))).collect::<Fallible<_>>()?;
        let none = World { rows: Vec::new(), links: world.links.clone(), asked: world.asked.clone() };
        Ok(Indexed { rego: Self::over("input.rules", &none)?, rules, given, key: Value::from("rules") })
    }
}

fn value(json: &serde_json::Value) -> Fallible<Value> {
    Ok(Value::from_json_str(&json.to_string())?)
}

fn rule(row: &Row) -> serde_json::Value {
    json!({
        "id": row.id, "sub": row.subject, "obj": row.object, "act": row.action, "pur": row.purpose,
        "cls": row.class_to, "nbf": row.from, "exp": row.until, "eft": if row.denies { "deny" } else { "allow" },
    })
}

fn data(world: &World) -> serde_json::Value {
    let among = |names: &[&str]| -> serde_json::Value {
        let all: BTreeMap<&str, bool> = names.iter().map(|name| (*name, true)).chain([("*", true)]).collect();
        json!(all)
    };
    let above: BTreeMap<&str, serde_json::Value> =
        world.above().into_iter().map(|(name, names)| (name, among(&names))).collect();
    let actions: BTreeMap<&str, serde_json::Value> =
        world.asked.iter().map(|asked| (asked.action, among(&[asked.action]))).collect();
    json!({ "rules": world.rows.iter().map(rule).collect::<Vec<_>>(), "above": above, "actions": actions })
}

impl Judge for Rego {
    fn judge(&mut self, question: usize) -> Fallible<()> {
        self.machine.set_input(self.asked.get(question).ok_or("no such question")?.clone());
        self.last = Some(self.machine.execute_entry_point_by_index(0)?);
        Ok(())
    }

    fn said(&self) -> Fallible<Answer> {
        let hits = self.last.as_ref().ok_or("nothing was decided")?.as_set()?;
        let (mut ids, mut permitted, mut denied) = (Vec::new(), false, false);
        for hit in hits.iter() {
            let [effect, id] = hit.as_array()?.as_slice() else { return Err("a hit of another form".into()) };
            ids.push(id.as_string()?.to_string());
            match effect.as_string()?.as_ref() {
                "deny" => denied = true,
                _ => permitted = true,
            }
        }
        ids.sort();
        Ok(Answer { permitted: permitted && !denied, named: Some(Named::All(ids)) })
    }
}

impl Judge for Indexed<'_> {
    fn judge(&mut self, question: usize) -> Fallible<()> {
        let mut rules = Vec::new();
        for rule in self.given.rules(question)? {
            rules.push(self.rules.get(rule).ok_or("a rule without a value")?.clone());
        }
        let mut input = self.rego.asked.get(question).ok_or("no such question")?.clone();
        input.as_object_mut()?.insert(self.key.clone(), Value::from(rules));
        self.rego.machine.set_input(input);
        self.rego.last = Some(self.rego.machine.execute_entry_point_by_index(0)?);
        Ok(())
    }

    fn said(&self) -> Fallible<Answer> {
        self.rego.said()
    }
}
