//! A form of a day or a time that a mapping says, such as `dd/mm/yyyy hh:mm`.

use time::Time;

use super::day::{BYTES_MAX, Moment, day, digits};
use super::text::quoted;
use crate::Said;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Field(Field),
    Literal(char),
}

/// A form such as `dd/mm/yyyy hh:mm`. `mm` behind hours is minutes, as in a spreadsheet.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) text: String,
    tokens: Vec<Token>,
}

impl Form {
    pub(super) fn new(text: &str) -> Result<Self, Said> {
        Self::tokens(text).map(|tokens| Self { text: text.to_owned(), tokens }).ok_or_else(|| {
            Said::new(
                format!(
                    "{} không phải dạng ngày; dùng `yyyy`, `mm`, `dd`, và `hh`, `mm`, `ss` cho giờ, ví dụ `dd/mm/yyyy hh:mm`",
                    quoted(text)
                ),
                format!(
                    "{} is no form of a date; use `yyyy`, `mm`, `dd`, and `hh`, `mm`, `ss` for the time, such as `dd/mm/yyyy hh:mm`",
                    quoted(text)
                ),
            )
        })
    }

    fn tokens(text: &str) -> Option<Vec<Token>> {
        let mut tokens: Vec<Token> = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let letter = c.to_ascii_lowercase();
            if !c.is_ascii_alphabetic() || letter == 't' {
                tokens.push(Token::Literal(c));
                continue;
            }
            let mut count = 1;
            while chars.next_if(|next| next.to_ascii_lowercase() == letter).is_some() {
                count += 1;
            }
            let field = match (letter, count) {
                ('y', 4) => Field::Year,
                ('m', 1 | 2) if fields.last() == Some(&Field::Hour) => Field::Minute,
                ('m', 1 | 2) => Field::Month,
                ('d', 1 | 2) => Field::Day,
                ('h', 1 | 2) => Field::Hour,
                ('s', 1 | 2) => Field::Second,
                _ => return None,
            };
            if fields.contains(&field) || tokens.len() > BYTES_MAX {
                return None;
            }
            fields.push(field);
            tokens.push(Token::Field(field));
        }
        let has = |field| fields.contains(&field);
        let whole = has(Field::Year) && has(Field::Month) && has(Field::Day);
        let clock = has(Field::Hour) == has(Field::Minute) && (has(Field::Minute) || !has(Field::Second));
        (whole && clock).then_some(tokens)
    }

    /// Between other signs, days, months and hours may have one digit; run together, two.
    pub(super) fn read(&self, text: &str) -> Option<Moment> {
        let (mut year, mut month, mut of_month, mut hour, mut minute, mut second) = (0, 0, 0, None, 0, 0);
        let mut rest = text;
        let mut tokens = self.tokens.iter().peekable();
        while let Some(token) = tokens.next() {
            let field = match token {
                Token::Literal(c) => {
                    rest = rest.strip_prefix(*c)?;
                    continue;
                }
                Token::Field(field) => field,
            };
            let run = rest.bytes().take_while(u8::is_ascii_digit).count();
            let set_apart = !matches!(tokens.peek(), Some(Token::Field(_)));
            let len = match (field, set_apart) {
                (Field::Year, _) => 4,
                (_, true) if run == 1 => 1,
                _ => 2,
            };
            if run < len || set_apart && run > len {
                return None;
            }
            let (number, behind) = rest.split_at_checked(len)?;
            rest = behind;
            let number = digits(number)?;
            let small = u8::try_from(number).unwrap_or(u8::MAX);
            match field {
                Field::Year => year = i32::try_from(number).ok()?,
                Field::Month => month = small,
                Field::Day => of_month = small,
                Field::Hour => hour = Some(small),
                Field::Minute => minute = small,
                Field::Second => second = small,
            }
        }
        if !rest.is_empty() {
            return None;
        }
        let time = match hour {
            Some(hour) => Some(Time::from_hms(hour, minute, second).ok()?),
            None => None,
        };
        Some(Moment { day: day(year, month, of_month)?, time, offset: None })
    }
}
