//! WHAT: datasets, data contracts, search
