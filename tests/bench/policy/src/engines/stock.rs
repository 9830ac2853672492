//! Plain casbin: the model of the node without the columns that no rule here uses, all rules in one enforcer, its own role manager and effector.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use casbin::{CoreApi, DefaultModel, Enforcer, Model};

use super::{Answer, Fallible, Judge};
use crate::world::{World, written};

/// casbin with all rules.
pub struct Stock {
    enforcer: Enforcer,
    asked: Vec<[String; 9]>,
    last: Option<bool>,
}

impl Stock {
    /// Loads the rules, denies before permits: the model takes the first that matches.
    ///
    /// # Errors
    /// casbin's.
    pub fn new(world: &World) -> Fallible<Self> {
        let mut model =
            at_once(DefaultModel::from_str(include_str!("../../../../../policy/models/1/grant.conf")))?;
        for denies in [true, false] {
            for row in world.rows.iter().filter(|row| row.denies == denies) {
                let any = || "*".to_owned();
                let line = vec![
                    row.id.clone(),
                    "30".to_owned(),
                    row.subject.clone(),
                    row.object.clone(),
                    row.action.to_owned(),
                    row.purpose.clone(),
                    any(),
                    any(),
                    any(),
                    "0".to_owned(),
                    row.class_to.to_string(),
                    written(row.from),
                    written(row.until),
                    "-".to_owned(),
                    if row.denies { "deny" } else { "allow" }.to_owned(),
                ];
                model.add_policy("p", "p", line);
            }
        }
        for (section, from, to) in &world.links {
            model.add_policy("g", section, vec![from.clone(), to.clone()]);
        }
        let mut enforcer = at_once(Enforcer::new_raw(model, ()))?;
        enforcer.build_role_links()?;
        let asked = world.asked.iter().map(|asked| {
            let word = str::to_owned;
            [
                asked.subject.clone(),
                asked.dataset.clone(),
                word(asked.action),
                asked.purpose.clone(),
                word("-"),
                word("bas:law"),
                word("net:gov"),
                asked.class.to_string(),
                written(asked.now),
            ]
        });
        Ok(Self { enforcer, asked: asked.collect(), last: None })
    }
}

impl Judge for Stock {
    fn judge(&mut self, question: usize) -> Fallible<()> {
        let [sub, obj, act, pur, agr, bas, net, cls, now] =
            self.asked.get(question).ok_or("no such question")?;
        let words = (
            sub.as_str(),
            obj.as_str(),
            act.as_str(),
            pur.as_str(),
            agr.as_str(),
            bas.as_str(),
            net.as_str(),
            cls.as_str(),
            now.as_str(),
        );
        self.last = Some(self.enforcer.enforce(words)?);
        Ok(())
    }

    fn said(&self) -> Fallible<Answer> {
        Ok(Answer { permitted: self.last.ok_or("nothing was decided")?, named: None })
    }
}

/// Runs a future that only works in memory.
fn at_once<T>(future: impl Future<Output = casbin::Result<T>>) -> Fallible<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Ok(result?),
        Poll::Pending => Err("casbin waited while a model was built from memory".into()),
    }
}
