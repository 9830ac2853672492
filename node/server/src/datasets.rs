//! This agency's datasets: added from files, described by an editable contract, checked, published, withdrawn.

use std::path::{Path, PathBuf};

use catalog::{
    Classification, DataClass, DatasetId, DatasetRecord, Personal, SharingKind, Status, Subject, Text,
    contract,
};
use dataplane::{FileReport, Format};
use policy::{
    DataClass as PolicyDataClass, DatasetFacts, Personal as PolicyPersonal, SharingKind as PolicyKind,
};
use serde::{Deserialize, Serialize};
use store::{Space, Tx};

use crate::error::{Error, Result};
use crate::files;
use crate::gate::Permit;
use crate::kinds;
use crate::node::Node;
use crate::operation::Operation;
use crate::records;

/// A dataset as the node keeps it: the record, and the facts of the file behind it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// What the contract says.
    pub record: DatasetRecord,
    /// Text that stands for "no value" in a CSV file.
    pub null_text: Option<String>,
    /// Whether the file stays where it was.
    pub in_place: bool,
    /// What the last check of the whole file found; none before the first.
    pub report: Option<Report>,
    /// What was found of rows that are about to take the place of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coming: Option<Report>,
}

impl std::ops::Deref for Dataset {
    type Target = DatasetRecord;
    fn deref(&self) -> &DatasetRecord {
        &self.record
    }
}

/// What a check of the whole file found, and the file's size and time then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Time of the file's last change, nanoseconds since 1970.
    pub changed_ns: u64,
    /// When it was checked, Unix seconds.
    pub checked: i64,
}

impl Dataset {
    /// Whether it is offered.
    pub fn is_published(&self) -> bool {
        self.record.status == Status::Published
    }

    /// The file and how it is written.
    pub fn source(&self) -> dataplane::Source {
        let format = match self.record.source.format {
            catalog::Format::Csv => Format::Csv {
                delimiter: self.record.source.delimiter.unwrap_or(','),
                null_text: self.null_text.clone(),
            },
            catalog::Format::Ndjson => Format::Ndjson,
            catalog::Format::Json => Format::Json,
            catalog::Format::Parquet => Format::Parquet,
        };
        dataplane::Source { path: PathBuf::from(&self.record.source.path), format }
    }

    /// The columns for the engine.
    pub fn schema(&self) -> Result<dataplane::Schema> {
        let columns = self
            .record
            .columns
            .iter()
            .map(|c| dataplane::Column::new(&c.name, kinds::to_engine(c.kind), c.nullable));
        dataplane::Schema::new(columns.collect()).map_err(|e| Error::usage(e.to_string()))
    }

    /// The contract's file.
    pub fn contract_path(&self, node: &Node) -> PathBuf {
        node.dir.join("contracts").join(format!("{}.yaml", self.record.id))
    }
}

/// A dataset by its name.
pub fn find(node: &Node, name: &str) -> Result<Option<Dataset>> {
    Ok(records::get::<Dataset>(&node.store, Space::Dataset, name.as_bytes())?.map(|(d, _)| d))
}

/// A dataset by its name, or an error that says what to do.
pub fn demand(node: &Node, name: &str) -> Result<Dataset> {
    find(node, name)?
        .ok_or_else(|| Error::not_found(format!("no dataset `{name}` here; `tram dataset list` shows them")))
}

/// All datasets, by name.
pub fn all(node: &Node) -> Result<Vec<Dataset>> {
    Ok(records::all::<Dataset>(&node.store, Space::Dataset, b"")?.into_iter().map(|(_, d)| d).collect())
}

/// The same for those who must not be stopped by one record that is damaged: it is logged and left out.
pub fn readable(node: &Node) -> Result<Vec<Dataset>> {
    records::readable::<Dataset>(&node.store, Space::Dataset, b"")
}

/// Id of the offer that stands for a dataset now: another version or another rule set makes another offer.
pub fn offer_id(node: &Node, dataset: &DatasetRecord) -> String {
    offer_id_under(node, dataset, &node.gate.engine().rule_set().digest().to_string())
}

/// The same under the rule set of this SHA-256, hex.
pub fn offer_id_under(node: &Node, dataset: &DatasetRecord, rules: &str) -> String {
    let rules: String = rules.chars().take(16).collect();
    format!("urn:tram:offer:{}/{}@{}:{rules}", node.config.node.id, dataset.id, dataset.version)
}

/// What the policy needs to know of a dataset.
pub fn facts(node: &Node, dataset: &Dataset) -> Result<DatasetFacts> {
    let record = &dataset.record;
    let (owner, class) = crate::gate::owned(&node.config.node.id, record.classification.get())?;
    let bad =
        |what: &str, e: policy::IdError| Error::internal(format!("{what} of dataset {}: {e}", record.id));
    Ok(DatasetFacts {
        owner,
        class,
        personal: match record.personal {
            Personal::None => PolicyPersonal::None,
            Personal::Basic => PolicyPersonal::Basic,
            Personal::Sensitive => PolicyPersonal::Sensitive,
        },
        kind: match record.kind {
            SharingKind::Open => PolicyKind::Open,
            SharingKind::Default => PolicyKind::Default,
            SharingKind::Special => PolicyKind::Special,
            SharingKind::Secret => PolicyKind::Secret,
        },
        sector: record.theme.as_deref().and_then(sector),
        data_class: match record.data_class {
            DataClass::Other => PolicyDataClass::Other,
            DataClass::Important => PolicyDataClass::Important,
            DataClass::Core => PolicyDataClass::Core,
        },
        tags: named(&record.tags, policy::TagId::named).map_err(|e| bad("tag", e))?,
        collections: named(&record.collections, policy::CollectionId::named)
            .map_err(|e| bad("collection", e))?,
        consent: None,
    })
}

/// The sector that a theme names: "Y tế" is `se:y-te`.
fn sector(theme: &str) -> Option<policy::SectorId> {
    DatasetId::suggest(theme).and_then(|name| policy::SectorId::named(name.as_str()).ok())
}

fn named<T>(
    names: &[String],
    read: impl Fn(&str) -> std::result::Result<T, policy::IdError>,
) -> std::result::Result<Vec<T>, policy::IdError> {
    names.iter().map(|n| read(n)).collect()
}

/// Checks what the catalog leaves free and the rules do not: a name that no rule can hold is told where it is written, and
/// not when somebody asks for the dataset.
fn check_names(record: &DatasetRecord) -> Result<()> {
    let bad = |what: &str, name: &str, e: policy::IdError| {
        Error::usage(format!("`{}`: the {what} `{name}` cannot be named in rules: {e}", record.id))
    };
    for tag in &record.tags {
        policy::TagId::named(tag).map_err(|e| bad("tag", tag, e))?;
    }
    for collection in &record.collections {
        policy::CollectionId::named(collection).map_err(|e| bad("collection", collection, e))?;
    }
    Ok(())
}

/// What is said of a new dataset.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    path: PathBuf,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    title_en: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    description_en: Option<String>,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    theme: Option<String>,
    #[serde(default)]
    kind: Option<SharingKind>,
    #[serde(default)]
    class: Option<u64>,
    #[serde(default)]
    personal: Option<Personal>,
    #[serde(default)]
    data_class: Option<DataClass>,
    #[serde(default)]
    collections: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    subject: Option<Subject>,
    #[serde(default)]
    group_by: Vec<String>,
    #[serde(default)]
    dpia: Option<String>,
    #[serde(default)]
    receipt_first: bool,
    #[serde(default)]
    append_by: Option<String>,
    #[serde(default)]
    in_place: bool,
}

/// A new dataset with what a person should look at.
pub struct Added {
    /// The dataset.
    pub dataset: Dataset,
    /// Warnings of the inspection and of the record.
    pub warnings: Vec<String>,
}

/// Adds a dataset from a file: infers the schema, writes the draft contract, keeps the record.
pub async fn add(node: &Node, operation: &Operation, new: New) -> Result<Added> {
    let stem = new.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let id = match &new.name {
        Some(name) => DatasetId::try_from(name.clone()).map_err(|e| Error::usage(e.to_string()))?,
        None => DatasetId::suggest(&stem).ok_or_else(|| {
            Error::usage(format!("no dataset name can be made of `{stem}`; give one with --name"))
        })?,
    };
    if find(node, id.as_str())?.is_some() {
        return Err(Error::conflict(format!(
            "there is a dataset `{id}` already; edit its contract and run `tram dataset validate {id}`, or add under another --name"
        )));
    }
    let described = crate::sources::is_description(&new.path);
    if described && new.in_place {
        return Err(Error::usage("a description of a source cannot be used in place: its rows are fetched"));
    }
    let (from, mut remarks) = match described {
        true => crate::sources::first(node, id.as_str(), &new.path).await?,
        false => (new.path.clone(), Vec::new()),
    };
    let (path, format) = (from.clone(), described.then_some(Format::Csv { delimiter: ',', null_text: None }));
    let inspection = blocking(move || dataplane::inspect(&path, format.as_ref())).await?;
    let path = if described || new.in_place { from } else { copy_in(node, &id, &new.path).await? };
    let (format, delimiter, null_text) = match &inspection.format {
        Format::Csv { delimiter, null_text } => (catalog::Format::Csv, Some(*delimiter), null_text.clone()),
        Format::Ndjson => (catalog::Format::Ndjson, None, None),
        Format::Json => (catalog::Format::Json, None, None),
        Format::Parquet => (catalog::Format::Parquet, None, None),
    };
    let source = catalog::Source { path: path.to_string_lossy().into_owned(), format, delimiter };
    // The first rows of a live source promise nothing of the others.
    let sample = described && crate::sources::state(node, id.as_str())?.is_some_and(|state| state.sample);
    let columns = inspection.schema.columns().iter();
    let columns = columns
        .map(|c| catalog::Column::new(&c.name, kinds::to_contract(c.kind), sample || c.nullable))
        .collect();
    let mut record = DatasetRecord::draft(id, &node.config.node.id, source, columns, operation.now);
    let lowered = describe(&mut record, new)?;
    record.check().map_err(|e| Error::usage(e.to_string()))?;
    check_names(&record)?;
    let advice = record.advice();
    remarks.extend(inspection.warnings);
    let warnings =
        remarks.into_iter().chain(lowered.iter().chain(&advice).map(ToString::to_string)).collect();
    let dataset =
        Dataset { record, null_text, in_place: !path.starts_with(&node.dir), report: None, coming: None };
    let dataset = write_contract(node, dataset)?;
    keep_new(node, &dataset).await?;
    Ok(Added { dataset, warnings })
}

fn describe(record: &mut DatasetRecord, new: New) -> Result<Vec<catalog::Problem>> {
    if let Some(title) = new.title {
        record.title = Text::new(title, new.title_en.unwrap_or_default());
    }
    record.description =
        Text::new(new.description.unwrap_or_default(), new.description_en.unwrap_or_default());
    record.keywords = new.keywords;
    record.theme = new.theme;
    record.kind = new.kind.unwrap_or(record.kind);
    if let Some(class) = new.class {
        record.classification = Classification::try_from(class).map_err(|e| Error::usage(e.to_string()))?;
    }
    record.data_class = new.data_class.unwrap_or_default();
    record.collections = new.collections;
    record.tags = new.tags;
    record.subject = new.subject;
    record.group_by = new.group_by;
    record.dpia = new.dpia;
    record.receipt_first = new.receipt_first;
    record.append_by = new.append_by;
    Ok(new.personal.map(|p| record.set_personal(p)).unwrap_or_default())
}

async fn copy_in(node: &Node, id: &DatasetId, from: &Path) -> Result<PathBuf> {
    let folder = node.dir.join("data").join(id.as_str());
    files::make_private_dir(&folder)?;
    let name =
        from.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_else(|| "data".to_owned());
    let to = folder.join(&name);
    let (source, target) = (from.to_owned(), to.clone());
    tokio::task::spawn_blocking(move || -> std::io::Result<()> {
        let part = target.with_extension("part");
        std::fs::copy(&source, &part)?;
        std::fs::File::open(&part)?.sync_all()?;
        std::fs::rename(&part, &target)?;
        std::fs::File::open(target.parent().unwrap_or(Path::new(".")))?.sync_all()
    })
    .await
    .map_err(Error::internal)?
    .map_err(|e| Error::io(from, e))?;
    Ok(to)
}

fn write_contract(node: &Node, mut dataset: Dataset) -> Result<Dataset> {
    let text = contract::write(&dataset.record).map_err(|e| Error::usage(e.to_string()))?;
    dataset.record.contract_digest = Some(contract::digest(&text));
    files::write_atomic(&dataset.contract_path(node), text.as_bytes())?;
    Ok(dataset)
}

async fn keep_new(node: &Node, dataset: &Dataset) -> Result<()> {
    let key = dataset.record.id.as_str().as_bytes().to_vec();
    let tx = Tx::new().absent(Space::Dataset, key.clone()).put_json(Space::Dataset, key, dataset);
    node.store.commit(tx.map_err(Error::from)?).await.map_err(Error::from)?;
    node.catalogs.own_changed();
    Ok(())
}

/// Reads the edited contract back and checks the whole file against it.
pub async fn validate(node: &Node, operation: &Operation, name: &str) -> Result<Dataset> {
    let permit = node.gate.own(operation, node, name)?;
    let dataset = demand(node, name)?;
    let dataset = read_contract(node, &dataset, operation.now)?;
    let report = check_file(&permit, &dataset, operation.now).await?;
    crate::sources::promises::keeps(node, &dataset.record, &dataset.source(), dataset.schema()?).await?;
    store_checked(node, dataset, report).await
}

/// The dataset with what its contract file says now, nothing checked against rows.
pub fn contract_now(node: &Node, dataset: &Dataset, now: i64) -> Result<Dataset> {
    read_contract(node, dataset, now)
}

/// The dataset with what its contract file says now. A contract that a person changed counts up the version.
fn read_contract(node: &Node, dataset: &Dataset, now: i64) -> Result<Dataset> {
    let path = dataset.contract_path(node);
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
    let digest = contract::digest(&text);
    if dataset.record.contract_digest.as_deref() == Some(digest.as_str()) {
        return Ok(dataset.clone());
    }
    let mut record =
        contract::read(&text, now).map_err(|e| Error::usage(format!("{}:\n{e}", path.display())))?;
    check_names(&record)?;
    if record.id != dataset.record.id {
        return Err(Error::usage(format!(
            "{}: the contract is of `{}`, the dataset is `{}`; the name of a dataset cannot be changed",
            path.display(),
            record.id,
            dataset.record.id
        )));
    }
    if record.source.path != dataset.record.source.path {
        return Err(Error::usage(format!(
            "{}: the source is `{}`, the dataset was added from `{}`; add the other file as a dataset of its own",
            path.display(),
            record.source.path,
            dataset.record.source.path
        )));
    }
    record.status = dataset.record.status;
    record.version = dataset.record.version + u32::from(dataset.report.is_some());
    record.issued = dataset.record.issued;
    Ok(Dataset { record, ..dataset.clone() })
}

async fn check_file(permit: &Permit, dataset: &Dataset, now: i64) -> Result<Report> {
    permit.demand(dataset.record.id.as_str())?;
    checked(dataset.source(), dataset.schema()?, now).await
}

/// Checks rows that may take the place of the file, in the same format, against the contract as it is now: rows and
/// contract may have to change together.
pub async fn check_snapshot(
    node: &Node,
    operation: &Operation,
    dataset: &Dataset,
    path: &Path,
) -> Result<(Dataset, Report)> {
    let dataset = read_contract(node, dataset, operation.now)?;
    let source = dataplane::Source { path: path.to_owned(), ..dataset.source() };
    let report = checked(source, dataset.schema()?, operation.now).await?;
    Ok((dataset, report))
}

async fn checked(source: dataplane::Source, schema: dataplane::Schema, now: i64) -> Result<Report> {
    let before = changed_ns(&source.path)?;
    let path = source.path.clone();
    let report: FileReport =
        blocking(move || dataplane::validate(&source.path, &source.format, &schema)).await?;
    if changed_ns(&path)? != before {
        return Err(Error::conflict(format!(
            "`{}` was changed while it was read; run `tram dataset validate` again when nobody writes to it",
            path.display()
        )));
    }
    Ok(Report {
        rows: report.rows,
        bytes: report.bytes,
        sha256: report.sha256.to_string(),
        changed_ns: before,
        checked: now,
    })
}

/// Time of a file's last change, nanoseconds since 1970.
pub fn changed_ns(path: &Path) -> Result<u64> {
    let changed = std::fs::metadata(path).and_then(|m| m.modified()).map_err(|e| Error::io(path, e))?;
    let since = changed.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

async fn store_checked(node: &Node, checked: Dataset, report: Report) -> Result<Dataset> {
    let name = checked.record.id.as_str().to_owned();
    let stored =
        records::update::<Dataset, Dataset>(&node.store, Space::Dataset, name.as_bytes(), |stored| {
            let status = stored.record.status;
            *stored = Dataset { report: Some(report.clone()), ..checked.clone() };
            stored.record.status = status;
            Ok((stored.clone(), Tx::new()))
        })
        .await?;
    node.catalogs.own_changed();
    crate::versions::keep_or_tell(node, &stored).await;
    Ok(stored)
}

/// Remembers what was found of rows that are about to take the place of the file.
pub async fn expect(node: &Node, name: &str, coming: Option<Report>) -> Result<Dataset> {
    records::update::<Dataset, Dataset>(&node.store, Space::Dataset, name.as_bytes(), |dataset| {
        dataset.coming = coming.clone();
        Ok((dataset.clone(), Tx::new()))
    })
    .await
}

/// The rows that were expected are there; with them the contract that they were checked against is in force.
pub async fn arrived(
    node: &Node,
    operation: &Operation,
    checked: Dataset,
    report: Report,
) -> Result<Dataset> {
    let mut checked = Dataset { coming: None, ..checked };
    checked.record.modified = operation.now;
    store_checked(node, checked, report).await
}

/// Offers a dataset in the catalog; it must have been checked, and its file unchanged since.
pub async fn publish(node: &Node, operation: &Operation, name: &str) -> Result<Dataset> {
    let dataset = demand(node, name)?;
    let dataset = read_contract(node, &dataset, operation.now)?;
    if dataset.record.kind == SharingKind::Secret {
        return Err(Error::conflict(format!(
            "`{name}` is secret; state secrets are never offered (change `kind` in the contract if that is wrong)"
        )));
    }
    let unchecked = demand(node, name)?.record != dataset.record || dataset.report.is_none();
    if unchecked {
        return Err(Error::conflict(format!(
            "the contract of `{name}` was changed or never checked; run `tram dataset validate {name}` first"
        )));
    }
    unchanged(&dataset)?;
    set_status(node, operation, name, Status::Published).await
}

/// Takes a dataset out of the catalog. Agreements that stand are served no more, because the gate no longer finds it.
pub async fn withdraw(node: &Node, operation: &Operation, name: &str) -> Result<Dataset> {
    demand(node, name)?;
    set_status(node, operation, name, Status::Withdrawn).await
}

async fn set_status(node: &Node, operation: &Operation, name: &str, status: Status) -> Result<Dataset> {
    let written =
        records::update::<Dataset, Dataset>(&node.store, Space::Dataset, name.as_bytes(), |dataset| {
            dataset.record.status = status;
            dataset.record.modified = operation.now;
            Ok((dataset.clone(), Tx::new()))
        })
        .await;
    node.catalogs.own_changed();
    written
}

/// Whether the file is still the one that was checked, by size and time: what leaves must be what was described.
pub fn unchanged(dataset: &Dataset) -> Result<()> {
    let path = PathBuf::from(&dataset.record.source.path);
    let report = dataset.report.as_ref().ok_or_else(|| {
        Error::conflict(format!(
            "`{0}` was never checked; run `tram dataset validate {0}`",
            dataset.record.id
        ))
    })?;
    let bytes = std::fs::metadata(&path).map_err(|e| Error::io(&path, e))?.len();
    let changed = changed_ns(&path)?;
    let is = |report: &Report| bytes == report.bytes && changed == report.changed_ns;
    // A kill between the rows and their record leaves rows that were checked and expected.
    if is(report) || dataset.coming.as_ref().is_some_and(is) {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "`{}` was changed after it was checked; run `tram dataset validate {}`",
        path.display(),
        dataset.record.id
    )))
}

/// Runs work on a file in a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, dataplane::DataError> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?.map_err(|e| Error::usage(e.to_string()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_theme_is_a_sector_that_rules_can_name() {
        let named = |theme| super::sector(theme).map(|sector| sector.to_string());
        assert_eq!(named("Y tế").as_deref(), Some("se:y-te"));
        assert_eq!(named("Giao thông & Đô thị").as_deref(), Some("se:giao-thong-do-thi"));
        assert_eq!(named("…"), None);
    }
}
