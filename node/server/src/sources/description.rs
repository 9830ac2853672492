//! The description of a source, as a steward writes it: an origin, how often it is looked at, and from where its paths
//! count, and what the columns of the contract are made of.

use std::path::{Path, PathBuf};
use std::time::Duration;

use intake::mapping::{Mapping, Standardised};
use intake::{Cell, Health, IntakeError, Origin, Place, Remark, Rows};

use super::snapshot::refused;
use crate::error::{Error, Result};
use crate::files;
use crate::limits::SAMPLE_ROWS;

/// Largest description, bytes.
const BYTES_MAX: usize = 256 << 10;
/// Shortest and longest time between two looks, seconds: a minute and a year.
const EVERY_SECONDS: std::ops::RangeInclusive<u64> = 60..=366 * 86_400;

/// A source.
#[derive(Debug, Clone)]
pub struct Description {
    /// Where the rows are.
    pub origin: Origin,
    /// How often they are looked at; only when somebody asks without it.
    pub every: Option<Duration>,
    /// The folder from which relative paths count.
    pub base: PathBuf,
    /// What the contract's columns are made of; the rows are taken as they are without it.
    pub mapping: Option<PathBuf>,
    /// Whether each question reads the origin anew; a snapshot answers them otherwise.
    pub live: bool,
}

impl Description {
    /// Reads the file of a description. Relative paths in it count from its folder unless it names a `base`.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = files::read_limited(path, BYTES_MAX)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::usage(format!("`{}` is not UTF-8; save it as UTF-8", path.display())))?;
        Self::parse(&text, path.parent().unwrap_or(Path::new(".")))
            .map_err(|e| Error::usage(format!("{}: {e}", path.display())))
    }

    /// Reads the text of a description.
    pub fn parse(text: &str, folder: &Path) -> Result<Self> {
        let mut table: toml::Table = toml::from_str(text).map_err(|e| Error::usage(e.to_string()))?;
        let mut take = |key: &str| match table.remove(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::usage(format!("`{key}` must be a text in quotes"))),
        };
        let (every, base, mapping) = (take("every")?, take("base")?, take("mapping")?);
        let live = match take("mode")?.as_deref() {
            None | Some("snapshot") => false,
            Some("live") => true,
            Some(_) => return Err(Error::usage("`mode` is \"snapshot\" (the default) or \"live\"")),
        };
        let rest = toml::to_string(&table).map_err(Error::internal)?;
        let origin = Origin::parse(&rest).map_err(|e| Error::usage(e.to_string()))?;
        if live && !origin.can_be_live() {
            return Err(Error::usage(
                "`mode = \"live\"` is for a `table` of PostgreSQL or SQLite; make a view of a `query`, and leave the line out for other sources",
            ));
        }
        if live && mapping.is_some() {
            return Err(Error::usage(
                "a source with a `mapping` cannot be live: let a view of the database give the columns, or leave `mode` out",
            ));
        }
        Ok(Self {
            origin,
            live,
            every: every.as_deref().map(period).transpose()?,
            base: base.map_or_else(|| folder.to_owned(), PathBuf::from),
            mapping: mapping.map(PathBuf::from),
        })
    }

    /// Opens the origin as it is; of a live one the first rows.
    pub fn open(&self) -> Result<Box<dyn Rows>> {
        let rows = self.origin.open(&self.base).map_err(|e| self.told(&e))?;
        Ok(if self.live { Box::new(First { rows, left: SAMPLE_ROWS }) } else { rows })
    }

    /// Looks at the origin. A live one has to have an account that can only read: strangers' questions reach it.
    pub fn check(&self) -> Result<Health> {
        let health = self.origin.check(&self.base).map_err(|e| self.told(&e))?;
        if self.live && health.may_write() {
            let said: Vec<String> = health.remarks.iter().map(|remark| remark.said.to_string()).collect();
            return Err(Error::usage(format!(
                "nguồn đọc trực tiếp cần một tài khoản chỉ có quyền SELECT · a live source needs an account that has SELECT only:\n  {}",
                said.join("\n  ")
            )));
        }
        Ok(health)
    }

    /// The origin, to be read in no more than so many seconds.
    pub fn within(&self, seconds: u64) -> Origin {
        let mut origin = self.origin.clone();
        match &mut origin {
            Origin::Postgresql(it) => it.seconds_max = it.seconds_max.min(seconds),
            Origin::Sqlite(it) => it.seconds_max = it.seconds_max.min(seconds),
            _ => {}
        }
        origin
    }

    /// What an origin gets wrong. Of files nothing is a matter of the line.
    pub fn told(&self, error: &intake::IntakeError) -> Error {
        match (refused(error), &self.origin) {
            (
                Error::Unreachable(why),
                Origin::Text(_) | Origin::Json(_) | Origin::Excel(_) | Origin::Folder(_) | Origin::Sqlite(_),
            ) => Error::NotFound(format!("{why} ({})", self.base.display())),
            (other, _) => other,
        }
    }

    /// Reads the mapping alone, where there is one: what is wrong with its text is known before there are rows.
    pub fn check_mapping(&self) -> Result<()> {
        self.mapping().map(|_| ())
    }

    /// The rows in the columns of a contract, where there is a mapping.
    pub fn standardised(&self, columns: &[catalog::Column]) -> Result<Option<Standardised>> {
        self.standardised_of(columns, u64::MAX)
    }

    /// The same of so many rows at the beginning.
    pub fn standardised_of(&self, columns: &[catalog::Column], most: u64) -> Result<Option<Standardised>> {
        let Some((mapping, path)) = self.mapping()? else { return Ok(None) };
        let folder = path.parent().unwrap_or(&self.base);
        let rows = Box::new(First { rows: self.open()?, left: most });
        mapping.standardise(rows, columns, folder).map(Some).map_err(|e| at(&path, &e))
    }

    fn mapping(&self) -> Result<Option<(Mapping, PathBuf)>> {
        let Some(file) = &self.mapping else { return Ok(None) };
        let path = self.base.join(file);
        let bytes = files::read_limited(&path, BYTES_MAX)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::usage(format!("`{}` is not UTF-8; save it as UTF-8", path.display())))?;
        let mapping = Mapping::parse(&text).map_err(|e| at(&path, &e))?;
        Ok(Some((mapping, path)))
    }
}

/// So many rows and no more.
struct First {
    rows: Box<dyn Rows>,
    left: u64,
}

impl Rows for First {
    fn columns(&self) -> &[String] {
        self.rows.columns()
    }

    fn next(&mut self, row: &mut Vec<Cell>) -> std::result::Result<Option<Place>, IntakeError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.rows.next(row)
    }

    fn remarks(&self) -> Vec<Remark> {
        self.rows.remarks()
    }
}

fn at(path: &Path, error: &intake::IntakeError) -> Error {
    match refused(error) {
        Error::Usage(why) => Error::usage(format!("{}: {why}", path.display())),
        other => other,
    }
}

/// `15m`, `1h`, `7d`.
pub fn period(text: &str) -> Result<Duration> {
    let bad = || {
        Error::usage(format!(
            "`every = \"{}\"` is no period from 1m to 366d; write a number and m, h or d, such as \"15m\"",
            text.chars().take(20).collect::<String>().escape_debug()
        ))
    };
    let unit = match text.chars().last() {
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(bad()),
    };
    let number = text.get(..text.len() - 1).and_then(|digits| digits.parse::<u64>().ok()).ok_or_else(bad)?;
    let seconds = number.checked_mul(unit).filter(|s| EVERY_SECONDS.contains(s)).ok_or_else(bad)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_table_without_a_mapping_is_live() {
        let folder = Path::new("/");
        let live = |more: &str| Description::parse(&format!("mode = \"live\"\n{more}"), folder);
        let table = "type = \"sqlite\"\nfile = \"a.db\"\ntable = \"t\"\n";
        assert!(live(table).unwrap().live);
        assert!(!Description::parse(table, folder).unwrap().live, "snapshots are the default");
        for bad in [
            "type = \"sqlite\"\nfile = \"a.db\"\nquery = \"SELECT 1\"\n".to_owned(),
            "type = \"text\"\npath = \"a.csv\"\n".to_owned(),
            format!("mapping = \"m.toml\"\n{table}"),
        ] {
            assert!(live(&bad).is_err(), "{bad}");
        }
        assert!(Description::parse(&format!("mode = \"direct\"\n{table}"), folder).is_err());
    }

    #[test]
    fn a_period_is_a_number_and_a_unit() {
        assert_eq!(period("15m").unwrap().as_secs(), 900);
        assert_eq!(period("7d").unwrap().as_secs(), 604_800);
        for bad in ["", "m", "0m", "15", "15s", "1.5h", "400d", "99999999999999999999d", "1ñ"] {
            assert!(period(bad).is_err(), "{bad}");
        }
    }
}
