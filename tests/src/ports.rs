//! Ports for nodes. They are taken below the range from which the kernel hands out ports for outgoing connections: a node
//! that is killed must find its own port free again, not lent to somebody's connection.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 20_000;
const SPAN: u16 = 12_000;

/// A port of 127.0.0.1 that nothing listens on now, and that no other call in this process gets.
///
/// # Panics
/// When twelve thousand ports in a row are taken.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at the same time begin at different places.
    let start = (std::process::id() as u64 * 7_919 % u64::from(SPAN)) as u16;
    for _ in 0..SPAN {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start.wrapping_add(step)) % SPAN;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + SPAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_a_taken_one_never() {
        let ports: Vec<u16> = (0..50).map(|_| free_port()).collect();
        let mut unique = ports.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ports.len());
        let last = ports[ports.len() - 1];
        let _taken: Vec<_> =
            (1..=3).filter_map(|step| TcpListener::bind((Ipv4Addr::LOCALHOST, last + step)).ok()).collect();
        let next = free_port();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, next)).is_ok(), "{next}");
    }
}
