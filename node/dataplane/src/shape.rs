//! The shape of an answer: everything that its bytes depend on, as one digest.
//!
//! Two jobs of one shape over the same file give the same bytes, so that one spool serves both. Keys of hash masks are
//! part of it: pseudonyms of two agreements never share a spool. It is made from the values in memory and holds for one
//! version of this program; nothing but a comparison may be built on it.

use sha2::Digest as _;

use crate::merkle::Sha256;
use crate::{Added, Job, Mask};

/// Raised when the bytes of an answer change for the same job.
const VERSION: &str = concat!("tram/shape@v1 ", env!("CARGO_PKG_VERSION"));

impl Job {
    /// Whether it gives the same bytes each time: noise that is drawn anew for each answer does not.
    #[must_use]
    pub fn repeats(&self) -> bool {
        let noise = self.restriction.aggregate_only.as_ref().and_then(|only| only.disclosure.noise.as_ref());
        !matches!(noise, Some(Added::Laplace(_)))
    }

    /// The shape of this job over the file that `version` names: its digest, or whatever else changes with it.
    #[must_use]
    pub fn shape(&self, version: &[&str]) -> Sha256 {
        // By name, so that whoever adds a part of a job decides here whether the bytes depend on it.
        let Self { source, schema, restriction, query, format, limits: _, correlation: _ } = self;
        let mut hash = sha2::Sha256::new();
        let said =
            format!("{VERSION} {version:?} {source:?} {schema:?} {restriction:?} {query:?} {format:?}");
        hash.update((said.len() as u64).to_be_bytes());
        hash.update(said.as_bytes());
        for mask in restriction.masks.values() {
            // A key never prints, so it is not in the text above.
            if let Mask::Hash(key) | Mask::Linked(key) = mask {
                hash.update(key.bytes());
            }
        }
        let noise = restriction.aggregate_only.as_ref().and_then(|only| only.disclosure.noise.as_ref());
        if let Some(Added::Cell(noise)) = noise {
            hash.update(noise.key().bytes());
        }
        Sha256(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::{
        Column, ColumnKind, Format, HashKey, Job, Limits, Mask, Op, OutputFormat, Predicate, Query,
        Restriction, Schema, Source, Value,
    };

    fn job() -> Job {
        let columns = ["a", "b"].map(|name| Column::new(name, ColumnKind::String, true));
        let mut restriction = Restriction::default();
        restriction.masks.insert("a".to_owned(), Mask::Hash(HashKey::new([1; 32])));
        Job {
            source: Source {
                path: PathBuf::from("x.csv"),
                format: Format::Csv { delimiter: ',', null_text: None },
            },
            schema: Schema::new(columns.to_vec()).unwrap(),
            restriction,
            query: Query::default(),
            format: OutputFormat::Csv,
            limits: Limits::default(),
            correlation: "1".to_owned(),
        }
    }

    #[test]
    fn whatever_changes_the_bytes_changes_the_shape() {
        let shape = |job: &Job| job.shape(&["v1"]);
        let first = shape(&job());
        assert_eq!(first, shape(&Job { correlation: "2".to_owned(), ..job() }), "of two exchanges");
        assert_ne!(first, job().shape(&["v2"]), "another version of the file");
        assert_ne!(job().shape(&["a", "b"]), job().shape(&["a\", \"b"]), "words that run together");
        let edits: [fn(&mut Job); 9] = [
            |job| job.format = OutputFormat::Parquet,
            |job| job.query.limit = Some(3),
            |job| job.restriction.max_rows = Some(3),
            |job| job.restriction.watermark = Some("x".to_owned()),
            |job| job.restriction.row_filter.push(Predicate::new("b", Op::Eq, vec![Value::Text("x".into())])),
            |job| _ = job.restriction.masks.insert("a".to_owned(), Mask::Hash(HashKey::new([2; 32]))),
            |job| job.source.path = PathBuf::from("y.csv"),
            |job| _ = job.restriction.masks.insert("a".to_owned(), Mask::Linked(HashKey::new([1; 32]))),
            |job| _ = job.restriction.masks.insert("a".to_owned(), Mask::Linked(HashKey::new([2; 32]))),
        ];
        let mut seen = vec![first];
        for (number, edit) in edits.iter().enumerate() {
            let mut job = job();
            edit(&mut job);
            assert!(!seen.contains(&shape(&job)), "edit {number}");
            seen.push(shape(&job));
        }
    }
}
