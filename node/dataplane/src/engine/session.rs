//! The sandbox of one request: its own memory, its own disk share, one partition, and no catalog to look into.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use crate::Limits;

/// A session without tables, functions by name, formats or object stores: a plan is all that it runs.
pub(crate) fn sandbox(limits: &Limits) -> Result<SessionState> {
    let mode = match &limits.scratch_dir {
        Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
        None => DiskManagerMode::Disabled,
    };
    let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(limits.disk_bytes);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(limits.memory_bytes)))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    Ok(SessionStateBuilder::new().with_config(config(limits)).with_runtime_env(runtime).build())
}

/// One partition keeps rows in the source's order, so that the same request gives the same bytes.
fn config(limits: &Limits) -> SessionConfig {
    SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(limits.batch_rows.max(1))
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false)
        .with_collect_statistics(false)
}
