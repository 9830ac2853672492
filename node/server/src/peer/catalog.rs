//! This node's catalog (DSP 2025-1): to each caller only what the gate lets it discover.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use certs::ParticipantId;
use exchange::dsp::{
    self, Address, Catalog, CatalogContent, CatalogRequestMessage, DataService, Dataset, DatasetDescription,
    Distribution, Extra, Id, LangText, NonEmpty, OlderVersion, RootDataset,
};
use policy::Action;
use serde::Deserialize;

use super::reply;
use super::signed::Caller;
use crate::datasets;
use crate::error::{Error, Result};
use crate::flow;
use crate::gate::Permit;
use crate::kinds;
use crate::limits::{CATALOG_PAGE, CATALOG_PAGE_BYTES, CATALOG_PAGE_ENDS, CATALOG_PAGE_MIN};
use crate::node::Node;
use crate::operation::{Actor, Operation};

/// Where a page begins: after the dataset with this name.
#[derive(Debug, Default, Deserialize)]
pub struct PageQuery {
    #[serde(default)]
    after: Option<String>,
    /// SHA-256 in hex of this page as the caller has it.
    #[serde(default)]
    known: Option<String>,
}

/// `POST /catalog/request`
pub async fn request(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Query(page): Query<PageQuery>,
    body: Bytes,
) -> Response {
    let message = match dsp::parse::<CatalogRequestMessage>(&body) {
        Ok(message) => message,
        Err(error) => return reply::catalog_error(StatusCode::BAD_REQUEST, "MALFORMED", &error.to_string()),
    };
    if !message.filter.is_empty() {
        let why = "this node knows no filter; leave it out and search the answer";
        return reply::catalog_error(StatusCode::BAD_REQUEST, "FILTER", why);
    }
    match render(&node, &caller.participant, page.after.as_deref()) {
        Ok((catalog, next)) => {
            let mut response = page_of(&catalog, page.known.as_deref());
            let link = next.and_then(|after| {
                let target = format!("</dsp/2025-1/catalog/request?after={after}>; rel=\"next\"");
                HeaderValue::from_str(&target).ok()
            });
            if let Some(link) = link {
                response.headers_mut().insert(header::LINK, link);
            }
            response
        }
        Err(error) => error.into_response(),
    }
}

/// The page, or, where the caller has it, a line that says so.
fn page_of(catalog: &Catalog, known: Option<&str>) -> Response {
    let Some(known) = known else { return reply::message(StatusCode::OK, catalog) };
    let is_known = dsp::to_bytes(catalog).is_ok_and(|body| crate::crawl::kept::sha256(&body) == known);
    if !is_known {
        return reply::message(StatusCode::OK, catalog);
    }
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (json, crate::outbound::unchanged(known)).into_response()
}

/// Whether a page that is long enough ends with this dataset. It hangs on the name alone, so that after a change pages
/// further on begin and end where they did, and are not sent again.
fn ends_page(name: &str) -> bool {
    use sha2::Digest;
    let digest: [u8; 32] = sha2::Sha256::digest(name.as_bytes()).into();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]).is_multiple_of(CATALOG_PAGE_ENDS)
}

/// One dataset that cannot be shown (its record is damaged, or names what no rule can) is logged and left out: it takes
/// nothing from those who ask for the others.
fn render(node: &Node, caller: &ParticipantId, after: Option<&str>) -> Result<(Catalog, Option<String>)> {
    let operation = Operation::begin(Actor::Peer(caller.clone()), &node.clock);
    let mut shown = Vec::new();
    let (mut next, mut bytes) = (None, 0);
    for dataset in datasets::readable(node)? {
        let name = dataset.record.id.as_str().to_owned();
        if !dataset.is_published() || after.is_some_and(|after| name.as_str() <= after) {
            continue;
        }
        let looked = discover(node, &operation, caller, &name).and_then(|permit| {
            permit.map(|permit| describe(node, &operation, &permit, &dataset)).transpose()
        });
        let entry = match looked {
            Ok(Some(entry)) => entry,
            Ok(None) => continue,
            Err(error) => {
                tracing::error!(dataset = name, %error, "a dataset cannot be shown in the catalog; mend its contract");
                continue;
            }
        };
        let is_end = |(last, _): &(String, Dataset)| shown.len() >= CATALOG_PAGE_MIN && ends_page(last);
        let is_full = shown.len() == CATALOG_PAGE || bytes >= CATALOG_PAGE_BYTES;
        if is_full || shown.last().is_some_and(is_end) {
            // The name of the last one shown, which the caller may see anyway.
            next = shown.last().map(|(name, _): &(String, Dataset)| name.clone());
            break;
        }
        bytes += serde_json::to_vec(&entry).map_or(0, |json| json.len());
        shown.push((name, entry));
    }
    let me = &node.config.node.id;
    let id = id(&format!("{me}/catalog"))?;
    let content = CatalogContent {
        datasets: shown.into_iter().map(|(_, dataset)| dataset).collect(),
        services: vec![service(node)?],
        ..CatalogContent::empty(id)
    };
    Ok((Catalog { participant_id: self::id(me)?, content }, next))
}

/// `GET /catalog/datasets/{id}`: an unknown and a hidden dataset are answered alike.
pub async fn dataset(
    State(node): State<Arc<Node>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Response {
    match one(&node, &caller, &id) {
        Ok(Some(dataset)) => reply::message(StatusCode::OK, &RootDataset(dataset)),
        Ok(None) => {
            reply::catalog_error(StatusCode::NOT_FOUND, "UNKNOWN", "no such dataset is offered to you")
        }
        Err(error) => error.into_response(),
    }
}

fn one(node: &Node, caller: &Caller, id: &str) -> Result<Option<Dataset>> {
    let Some(name) = id.strip_prefix(&format!("{}/", node.config.node.id)) else { return Ok(None) };
    let Some(dataset) = datasets::find(node, name)?.filter(datasets::Dataset::is_published) else {
        return Ok(None);
    };
    let operation = Operation::begin(Actor::Peer(caller.participant.clone()), &node.clock);
    let Some(permit) = discover(node, &operation, &caller.participant, name)? else { return Ok(None) };
    describe(node, &operation, &permit, &dataset).map(Some)
}

fn discover(
    node: &Node,
    operation: &Operation,
    caller: &ParticipantId,
    name: &str,
) -> Result<Option<Permit>> {
    let verdict = node.gate.glance(node, operation, caller.as_str(), name, Action::Discover)?;
    Ok(verdict.permit().ok())
}

/// A dataset as the catalog shows it. Columns are shown by name and kind, without values; what may be had of them is
/// decided when somebody asks.
fn describe(
    node: &Node,
    operation: &Operation,
    permit: &Permit,
    dataset: &datasets::Dataset,
) -> Result<Dataset> {
    let record = &dataset.record;
    permit.demand(record.id.as_str())?;
    let texts = |text: &catalog::Text| LangText { vi: text.vi.clone(), en: text.en.clone() };
    let columns = record.columns.iter().map(|c| exchange::manifest::Column {
        name: c.name.clone(),
        kind: kinds::to_manifest(kinds::to_engine(c.kind)),
    });
    let description = DatasetDescription {
        title: texts(&record.title),
        description: texts(&record.description),
        keywords: record.keywords.clone(),
        identifier: Some(record.id.to_string()),
        version: Some(record.version),
        classification: Some(record.classification.get()),
        columns: columns.collect(),
        purposes: record.purposes.clone(),
        theme: record.theme.clone(),
        sharing: Some(record.kind.word().to_owned()),
        older: older(node, dataset, permit.subject())?,
    };
    let base = datasets::offer_id(node, record);
    let name = record.id.as_str();
    let offers = flow::terms::offers(node, operation, permit.subject(), name, &record.purposes, &base)?;
    let format = id(super::transfer::FORMAT)?;
    Ok(Dataset {
        id: id(&format!("{}/{}", node.config.node.id, record.id))?,
        offers,
        distributions: NonEmpty::one(Distribution::new(format, service(node)?)),
        extra: description.to_extra().map_err(Error::internal)?,
    })
}

/// The older versions of the contract that the caller holds agreements on, each with its end.
fn older(node: &Node, dataset: &datasets::Dataset, caller: &str) -> Result<Vec<OlderVersion>> {
    let held = crate::versions::contracts::held(node, dataset, Some(caller))?;
    let told = held.into_iter().map(|held| {
        let until = exchange::Timestamp::from_unix(held.until).map_err(Error::internal)?;
        Ok(OlderVersion { version: held.contract, until })
    });
    told.collect()
}

fn service(node: &Node) -> Result<DataService> {
    let url = format!("{}/dsp/2025-1", node.config.peer.endpoint);
    let address = Address::new(url).map_err(Error::internal)?;
    Ok(DataService {
        extra: Extra::none(),
        ..DataService::new(id(&format!("{}/service", node.config.node.id))?, address)
    })
}

fn id(text: &str) -> Result<Id> {
    Id::new(text).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::{Space, Tx};

    use super::*;

    #[tokio::test]
    async fn a_broken_dataset_is_left_out_and_the_others_are_shown() {
        let (dir, node) = crate::testing::node().await;
        let local = crate::testing::local_door(&node);
        let file = dir.path().join("x.csv");
        std::fs::write(&file, "a\n1\n").unwrap();
        for name in ["x", "y", "z"] {
            let new = json!({"path": file, "name": name, "title": name, "kind": "open", "class": 0});
            local.post("/v1/datasets", &new).await.unwrap();
            local.post(&format!("/v1/datasets/{name}/validate"), &json!({})).await.unwrap();
            local.post(&format!("/v1/datasets/{name}/publish"), &json!({})).await.unwrap();
        }
        let mut broken = datasets::demand(&node, "y").unwrap();
        broken.record.tags = vec!["hai từ".into()];
        let tx = Tx::new().put_json(Space::Dataset, &b"y"[..], &broken).unwrap();
        node.store.commit(tx.put(Space::Dataset, &b"yy"[..], &b"{"[..])).await.unwrap();
        let peer = ParticipantId::parse("urn:agency:vn:b").unwrap();
        let (keys, descriptor) = crate::testing::member(peer.as_str());
        crate::testing::pair(&node, &keys, &descriptor).await;
        let (catalog, next) = render(&node, &peer, None).unwrap();
        let shown: Vec<&str> = catalog.content.datasets.iter().map(|d| d.id.as_str()).collect();
        assert_eq!((shown, next), (vec!["urn:agency:vn:a/x", "urn:agency:vn:a/z"], None));
        crate::boot::close(&node).await;
    }
}
