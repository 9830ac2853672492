//! Long work of the local door: beside the threads that serve, and only so much of it at once.
//!
//! Promise: whoever asks when every place is taken is told so at once and does not wait in a queue without end. A place is
//! held until the work is done, also when the caller has gone meanwhile.

use axum::Json;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::node::Node;

/// Does long work beside the doors. Errors: [`Error::Unavailable`] when all of [`crate::limits::LOOKS_AT_ONCE`] places are
/// taken; whatever the work gives.
pub async fn aside(
    node: &Node,
    work: impl FnOnce() -> Result<Value> + Send + 'static,
) -> Result<Json<Value>> {
    let place = node
        .looks
        .clone()
        .try_acquire_owned()
        .map_err(|_| Error::Unavailable("busy with other long looks at rules; try again".to_owned()))?;
    let held = move || {
        let _place = place;
        work()
    };
    tokio::task::spawn_blocking(held).await.map_err(Error::internal)?.map(Json)
}

/// Does work that must not stop in the middle, also when the caller hangs up: what reached the ledger must be felt.
pub async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::error::Error;
    use crate::limits::LOOKS_AT_ONCE;

    #[tokio::test]
    async fn long_looks_are_refused_while_all_places_are_taken_and_other_calls_are_not() {
        let (_dir, node) = crate::testing::node().await;
        let client = crate::testing::local_door(&node);
        let places = u32::try_from(LOOKS_AT_ONCE).unwrap();
        let taken = node.looks.clone().acquire_many_owned(places).await.unwrap();
        let files = client.get("/v1/policy").await.unwrap()["files"].clone();
        let posts = [
            ("/v1/policy/lint", json!({"files": files})),
            ("/v1/policy/impact", json!({"draft": {}})),
            ("/v1/policy/diff", json!({})),
            ("/v1/policy/decide", json!({"questions": []})),
        ];
        let gets = ["/v1/policy/lint", "/v1/policy/compliance", "/v1/policy/who?dataset=air"];
        for (path, body) in &posts {
            let refused = client.post(path, body).await;
            assert!(
                matches!(&refused, Err(Error::Unavailable(why)) if why.contains("busy")),
                "{path}: {refused:?}"
            );
        }
        for path in gets {
            let refused = client.get(path).await;
            assert!(
                matches!(&refused, Err(Error::Unavailable(why)) if why.contains("busy")),
                "{path}: {refused:?}"
            );
        }
        drop(taken);
        for (path, body) in &posts {
            client.post(path, body).await.unwrap();
        }
        for path in gets {
            // Nobody has a dataset yet: who can see one is looked for now, and not found.
            let answered = client.get(path).await;
            assert!(matches!(answered, Ok(_) | Err(Error::NotFound(_))), "{path}: {answered:?}");
        }
        assert_eq!(node.looks.available_permits(), LOOKS_AT_ONCE, "every place is free again");
        crate::boot::close(&node).await;
    }
}
