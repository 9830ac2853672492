//! Reads a filter: a small recursive descent over pieces, bounded in depth (URL Conventions 4.01, 5.1.1.19: precedence).

use crate::error::{Fault, quote};
use crate::expr::{COMPARISONS, Compare, Sort, sort_of};
use crate::lex::{Token, cut};
use crate::limits::{DEPTH_MAX, VALUES_MAX};
use crate::{EntitySet, Expr, Function, Value, literal};

const TARGET: &str = "$filter";
/// Words between values that OData has and this crate does not do.
const ARITHMETIC: [&str; 7] = ["add", "sub", "mul", "div", "divby", "mod", "has"];

/// Reads the text of `$filter` for a set.
///
/// # Errors
/// A [`Fault`] that says what is wrong, or which part of OData is not done here.
pub fn filter(text: &str, set: &EntitySet) -> Result<Expr, Fault> {
    let tokens = cut(text, TARGET)?;
    let mut reader = Reader { tokens: &tokens, at: 0, set };
    let expr = reader.any(0)?;
    if let Some(token) = reader.peek() {
        return Err(reader.unexpected(token));
    }
    demand(&expr, Sort::Truth, set, "a filter")?;
    Ok(expr)
}

fn demand(expr: &Expr, wanted: Sort, set: &EntitySet, what: &str) -> Result<(), Fault> {
    let found = expr.sort(set);
    if found.fits(wanted) {
        return Ok(());
    }
    let why = format!("{what} takes {}, and `{}` is {}", wanted.word(), quote(&expr.text(set)), found.word());
    Err(Fault::bad(TARGET, why))
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    set: &'a EntitySet,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<&'a Token, Fault> {
        let token =
            self.peek().ok_or_else(|| Fault::bad(TARGET, "it ends where a value or a name should follow"))?;
        self.at += 1;
        Ok(token)
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word == wanted);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(&Token::Sign(wanted));
        self.at += usize::from(found);
        found
    }

    fn demand_sign(&mut self, wanted: char) -> Result<(), Fault> {
        if self.sign(wanted) {
            return Ok(());
        }
        match self.peek() {
            Some(token) => Err(self.unexpected(token)),
            None => Err(Fault::bad(TARGET, format!("`{wanted}` is missing at the end"))),
        }
    }

    fn unexpected(&self, token: &Token) -> Fault {
        match token {
            Token::Word(word) if ARITHMETIC.contains(&word.as_str()) => Fault::not_implemented(
                TARGET,
                format!("`{word}` is not done here; compare columns with values as they are"),
            ),
            Token::Word(word) => Fault::bad(TARGET, format!("`{}` is not expected here", quote(word))),
            Token::Sign('/') => Fault::not_implemented(
                TARGET,
                "paths and lambdas (`/`) are not done here; rows have plain columns only",
            ),
            Token::Sign('@') => {
                Fault::not_implemented(TARGET, "parameter aliases (`@`) are not done here; write the value")
            }
            Token::Sign(sign) => Fault::bad(TARGET, format!("`{sign}` is not expected here")),
            Token::Text(text) => {
                Fault::bad(TARGET, format!("the text '{}' is not expected here", quote(text)))
            }
            Token::Literal(text) => Fault::bad(TARGET, format!("`{}` is not expected here", quote(text))),
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, Fault> {
        if depth >= DEPTH_MAX {
            return Err(Fault::bad(
                TARGET,
                format!("it is nested deeper than {DEPTH_MAX}; write it flatter"),
            ));
        }
        Ok(depth + 1)
    }

    fn any(&mut self, depth: usize) -> Result<Expr, Fault> {
        let mut parts = vec![self.all(depth)?];
        while self.word("or") {
            parts.push(self.all(depth)?);
        }
        self.joined(parts, Expr::Or, "`or`")
    }

    fn all(&mut self, depth: usize) -> Result<Expr, Fault> {
        let mut parts = vec![self.equality(depth)?];
        while self.word("and") {
            parts.push(self.equality(depth)?);
        }
        self.joined(parts, Expr::And, "`and`")
    }

    fn joined(&self, mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr, what: &str) -> Result<Expr, Fault> {
        if parts.len() > 1 {
            for part in &parts {
                demand(part, Sort::Truth, self.set, what)?;
            }
            return Ok(join(parts));
        }
        parts.pop().ok_or_else(|| Fault::bad(TARGET, "it is empty"))
    }

    /// `eq` and `ne` bind less than the other comparisons; of a kind they are read from the left.
    fn equality(&mut self, depth: usize) -> Result<Expr, Fault> {
        let mut left = self.relation(depth)?;
        let mut chain = depth;
        while let Some(op) = self.comparison(&[Compare::Eq, Compare::Ne]) {
            chain = self.deeper(chain)?;
            let right = self.relation(depth)?;
            left = self.compared(op, left, right)?;
        }
        Ok(left)
    }

    fn relation(&mut self, depth: usize) -> Result<Expr, Fault> {
        let mut left = self.unary(depth)?;
        let mut chain = depth;
        loop {
            if self.word("in") {
                left = self.listed(left)?;
            } else if let Some(op) = self.comparison(&[Compare::Gt, Compare::Ge, Compare::Lt, Compare::Le]) {
                let right = self.unary(depth)?;
                left = self.compared(op, left, right)?;
            } else {
                return Ok(left);
            }
            chain = self.deeper(chain)?;
        }
    }

    fn comparison(&mut self, of: &[Compare]) -> Option<Compare> {
        let (op, _) = COMPARISONS.iter().find(|(op, word)| of.contains(op) && self.word(word))?;
        Some(*op)
    }

    fn compared(&self, op: Compare, left: Expr, right: Expr) -> Result<Expr, Fault> {
        let (a, b) = (left.sort(self.set), right.sort(self.set));
        if a.compares(b) {
            return Ok(Expr::Compare(op, Box::new(left), Box::new(right)));
        }
        let (left, right) = (left.text(self.set), right.text(self.set));
        let why = format!("`{}` is {}, and `{}` is {}", quote(&left), a.word(), quote(&right), b.word());
        Err(Fault::bad(TARGET, format!("{why}; they cannot be compared")))
    }

    fn listed(&mut self, left: Expr) -> Result<Expr, Fault> {
        self.demand_sign('(')?;
        let mut values = Vec::new();
        loop {
            let Expr::Literal(value) = self.value()? else {
                return Err(Fault::not_implemented(TARGET, "a list after `in` takes values only"));
            };
            let (a, b) = (left.sort(self.set), sort_of(&value));
            if !a.compares(b) {
                let why = format!("the list after `in` takes {}, not {}", a.word(), b.word());
                return Err(Fault::bad(TARGET, why));
            }
            values.push(value);
            if values.len() > VALUES_MAX {
                return Err(Fault::bad(
                    TARGET,
                    format!("a list has over {VALUES_MAX} values; ask in several requests"),
                ));
            }
            if !self.sign(',') {
                break;
            }
        }
        self.demand_sign(')')?;
        Ok(Expr::In(Box::new(left), values))
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, Fault> {
        if self.word("not") {
            let inner = self.unary(self.deeper(depth)?)?;
            demand(&inner, Sort::Truth, self.set, "`not`")?;
            return Ok(Expr::Not(Box::new(inner)));
        }
        if self.sign('(') {
            let inner = self.any(self.deeper(depth)?)?;
            self.demand_sign(')')?;
            return Ok(inner);
        }
        self.operand(depth)
    }

    fn operand(&mut self, depth: usize) -> Result<Expr, Fault> {
        let Some(Token::Word(word)) = self.peek() else { return self.value() };
        match self.tokens.get(self.at + 1) {
            Some(Token::Sign('(')) => self.call(word, depth),
            Some(Token::Text(_)) => Err(Fault::not_implemented(
                TARGET,
                format!("values of the form `{}'…'` are not known here", quote(word)),
            )),
            Some(Token::Sign('/' | '.')) => Err(self.unexpected(&Token::Sign('/'))),
            _ => self.value(),
        }
    }

    /// A value or a column.
    fn value(&mut self) -> Result<Expr, Fault> {
        Ok(match self.next()? {
            Token::Text(text) => Expr::Literal(Value::Text(text.clone())),
            Token::Literal(text) if text == "-INF" => Expr::Literal(Value::Number(f64::NEG_INFINITY)),
            Token::Literal(text) => Expr::Literal(literal::read(text, TARGET)?),
            Token::Word(word) => match word.as_str() {
                "null" => Expr::Literal(Value::Null),
                "true" => Expr::Literal(Value::Boolean(true)),
                "false" => Expr::Literal(Value::Boolean(false)),
                "INF" => Expr::Literal(Value::Number(f64::INFINITY)),
                "NaN" => Expr::Literal(Value::Number(f64::NAN)),
                name => Expr::Property(property(self.set, name, TARGET)?),
            },
            token => return Err(self.unexpected(token)),
        })
    }

    fn call(&mut self, name: &str, depth: usize) -> Result<Expr, Fault> {
        let Some(function) = Function::named(name) else {
            let known: Vec<&str> = crate::functions::ALL.iter().map(|(_, name)| *name).collect();
            let why =
                format!("the function `{}` is not done here; known are {}", quote(name), known.join(", "));
            return Err(Fault::not_implemented(TARGET, why));
        };
        let depth = self.deeper(depth)?;
        self.at += 1;
        self.demand_sign('(')?;
        let takes = function.takes();
        let mut arguments = Vec::new();
        while let Some(wanted) = takes.get(arguments.len()) {
            let argument = self.any(depth)?;
            demand(&argument, *wanted, self.set, &format!("`{name}`"))?;
            arguments.push(argument);
            if !self.sign(',') {
                break;
            }
        }
        let least = takes.len() - usize::from(function == Function::Substring);
        if arguments.len() < least {
            return Err(Fault::bad(
                TARGET,
                format!("`{name}` takes {} values in its parentheses", takes.len()),
            ));
        }
        self.demand_sign(')')?;
        Ok(Expr::Call(function, arguments))
    }
}

/// The place of a column; a hidden one and one that is not there are told alike.
pub(crate) fn property(set: &EntitySet, name: &str, target: &str) -> Result<usize, Fault> {
    set.find(name).ok_or_else(|| {
        if name == set.key {
            let why = format!("`{name}` numbers the rows of an answer; it cannot be filtered or sorted by");
            return Fault::not_implemented(target, why);
        }
        let why = format!("`{}` has no property `{}`; $metadata lists them", set.name, quote(name));
        Fault::bad(target, why)
    })
}
