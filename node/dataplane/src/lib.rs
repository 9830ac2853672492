//! DATA: sources, governed views, formats, chunks and their digests
