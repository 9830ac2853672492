//! Cedar: one policy for each rule, agencies, datasets and purposes as entities in their hierarchies.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicyId,
    PolicySet, Request, Response, RestrictedExpression,
};

use super::{Answer, Fallible, Given, Judge, Named};
use crate::world::{Row, World};

/// Cedar with its entities and questions.
pub struct Cedar {
    authorizer: Authorizer,
    entities: Entities,
    policies: PolicySet,
    asked: Vec<Request>,
    last: Option<Response>,
}

/// Cedar that is given, for each question, only some of the policies.
pub struct Indexed<'a> {
    cedar: Cedar,
    policies: Vec<Policy>,
    given: Given<'a>,
}

impl Cedar {
    /// Parses all rules and makes the questions.
    ///
    /// # Errors
    /// Cedar's.
    pub fn new(world: &World) -> Fallible<Self> {
        let mut policies = PolicySet::new();
        for row in &world.rows {
            policies.add(policy(row)?)?;
        }
        let asked = world.asked.iter().map(|asked| {
            let context = Context::from_pairs([
                ("cls".to_owned(), RestrictedExpression::new_long(i64::from(asked.class))),
                ("now".to_owned(), RestrictedExpression::new_long(asked.now)),
                ("pur".to_owned(), RestrictedExpression::new_entity_uid(uid("Name", &asked.purpose)?)),
            ])?;
            let action = uid("Action", asked.action)?;
            Ok(Request::new(
                uid("Name", &asked.subject)?,
                action,
                uid("Name", &asked.dataset)?,
                context,
                None,
            )?)
        });
        let asked = asked.collect::<Fallible<_>>()?;
        let (authorizer, entities) = (Authorizer::new(), entities(world)?);
        Ok(Self { authorizer, entities, policies, asked, last: None })
    }

    /// The same with an index before it.
    ///
    /// # Errors
    /// Cedar's.
    pub fn indexed<'a>(world: &World, given: Given<'a>) -> Fallible<Indexed<'a>> {
        let policies = world.rows.iter().map(policy).collect::<Fallible<_>>()?;
        let none = World { rows: Vec::new(), links: world.links.clone(), asked: world.asked.clone() };
        Ok(Indexed { cedar: Self::new(&none)?, policies, given })
    }
}

fn uid(kind: &str, name: &str) -> Fallible<EntityUid> {
    Ok(EntityUid::from_type_name_and_id(EntityTypeName::from_str(kind)?, EntityId::new(name)))
}

fn entities(world: &World) -> Fallible<Entities> {
    let mut parents: HashMap<&str, HashSet<EntityUid>> = HashMap::new();
    for (_, from, to) in &world.links {
        parents.entry(from).or_default().insert(uid("Name", to)?);
        parents.entry(to).or_default();
    }
    let all =
        parents.into_iter().map(|(name, parents)| Ok(Entity::new_no_attrs(uid("Name", name)?, parents)));
    Ok(Entities::from_entities(all.collect::<Fallible<Vec<_>>>()?, None)?)
}

fn policy(row: &Row) -> Fallible<Policy> {
    let scope = |what: &str, name: &str| match name {
        "*" => what.to_owned(),
        _ => format!("{what} in Name::\"{name}\""),
    };
    let action = match row.action {
        "*" => "action".to_owned(),
        action => format!("action == Action::\"{action}\""),
    };
    let purpose = match row.purpose.as_str() {
        "*" => String::new(),
        purpose => format!(" && context.pur in Name::\"{purpose}\""),
    };
    let text = format!(
        "{} ({}, {action}, {}) when {{ context.cls <= {} && context.now >= {} && context.now < {}{purpose} }};",
        if row.denies { "forbid" } else { "permit" },
        scope("principal", &row.subject),
        scope("resource", &row.object),
        row.class_to,
        row.from,
        row.until,
    );
    Ok(Policy::parse(Some(PolicyId::new(&row.id)), text)?)
}

impl Judge for Cedar {
    fn judge(&mut self, question: usize) -> Fallible<()> {
        let request = self.asked.get(question).ok_or("no such question")?;
        self.last = Some(self.authorizer.is_authorized(request, &self.policies, &self.entities));
        Ok(())
    }

    fn said(&self) -> Fallible<Answer> {
        let response = self.last.as_ref().ok_or("nothing was decided")?;
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(error.to_string().into());
        }
        let mut ids: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        ids.sort();
        let permitted = response.decision() == Decision::Allow;
        Ok(Answer { permitted, named: Some(Named::Deciding(ids)) })
    }
}

impl Judge for Indexed<'_> {
    fn judge(&mut self, question: usize) -> Fallible<()> {
        let mut few = PolicySet::new();
        for rule in self.given.rules(question)? {
            few.add(self.policies.get(rule).ok_or("a rule without a policy")?.clone())?;
        }
        self.cedar.policies = few;
        self.cedar.judge(question)
    }

    fn said(&self) -> Fallible<Answer> {
        self.cedar.said()
    }
}
