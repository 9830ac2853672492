//! Kinds of columns, from one crate's word to another's: the contract's, the engine's and the manifest's know nothing of each
//! other, and only this crate joins them. All three have the same six.

/// The engine's word for the contract's.
pub fn to_engine(kind: catalog::ColumnKind) -> dataplane::ColumnKind {
    match kind {
        catalog::ColumnKind::String => dataplane::ColumnKind::String,
        catalog::ColumnKind::Integer => dataplane::ColumnKind::Integer,
        catalog::ColumnKind::Number => dataplane::ColumnKind::Number,
        catalog::ColumnKind::Boolean => dataplane::ColumnKind::Boolean,
        catalog::ColumnKind::Date => dataplane::ColumnKind::Date,
        catalog::ColumnKind::Timestamp => dataplane::ColumnKind::Timestamp,
    }
}

/// The contract's word for the engine's.
pub fn to_contract(kind: dataplane::ColumnKind) -> catalog::ColumnKind {
    match kind {
        dataplane::ColumnKind::String => catalog::ColumnKind::String,
        dataplane::ColumnKind::Integer => catalog::ColumnKind::Integer,
        dataplane::ColumnKind::Number => catalog::ColumnKind::Number,
        dataplane::ColumnKind::Boolean => catalog::ColumnKind::Boolean,
        dataplane::ColumnKind::Date => catalog::ColumnKind::Date,
        dataplane::ColumnKind::Timestamp => catalog::ColumnKind::Timestamp,
    }
}

/// The manifest's word for the engine's.
pub fn to_manifest(kind: dataplane::ColumnKind) -> exchange::manifest::ColumnKind {
    use exchange::manifest::ColumnKind;
    match kind {
        dataplane::ColumnKind::String => ColumnKind::String,
        dataplane::ColumnKind::Integer => ColumnKind::Integer,
        dataplane::ColumnKind::Number => ColumnKind::Number,
        dataplane::ColumnKind::Boolean => ColumnKind::Boolean,
        dataplane::ColumnKind::Date => ColumnKind::Date,
        dataplane::ColumnKind::Timestamp => ColumnKind::Timestamp,
    }
}

/// The engine's word for the manifest's.
pub fn from_manifest(kind: exchange::manifest::ColumnKind) -> dataplane::ColumnKind {
    use exchange::manifest::ColumnKind;
    match kind {
        ColumnKind::String => dataplane::ColumnKind::String,
        ColumnKind::Integer => dataplane::ColumnKind::Integer,
        ColumnKind::Number => dataplane::ColumnKind::Number,
        ColumnKind::Boolean => dataplane::ColumnKind::Boolean,
        ColumnKind::Date => dataplane::ColumnKind::Date,
        ColumnKind::Timestamp => dataplane::ColumnKind::Timestamp,
    }
}
