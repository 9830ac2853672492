//! MAY: rules, decisions and obligations on casbin
