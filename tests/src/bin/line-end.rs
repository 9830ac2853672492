//! One end of a line under test: `echo ADDRESS` sends back every datagram; `ask ADDRESS COUNT BYTES` sends so many and prints
//! what came back: how many, how often the order was broken, and the shortest way there and back in microseconds.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// Pause between two datagrams: a burst would measure the queue.
const PAUSE: Duration = Duration::from_millis(2);
/// How long an answer is waited for after the last one.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["echo", address] => echo(address),
        ["ask", address, count, bytes] => {
            ask(address, count.parse().unwrap_or(1), bytes.parse().unwrap_or(64))
        }
        _ => Err(std::io::Error::other("echo ADDRESS | ask ADDRESS COUNT BYTES")),
    }
}

fn echo(address: &str) -> std::io::Result<()> {
    let socket = UdpSocket::bind(address)?;
    println!("ready");
    let mut buffer = [0; 2_048];
    loop {
        let (len, from) = socket.recv_from(&mut buffer)?;
        socket.send_to(buffer.get(..len).unwrap_or_default(), from)?;
    }
}

fn ask(address: &str, count: u32, bytes: usize) -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(address)?;
    let begun = Instant::now();
    let reader = {
        let socket = socket.try_clone()?;
        socket.set_read_timeout(Some(PATIENCE))?;
        std::thread::spawn(move || listen(&socket, begun))
    };
    for number in 0..count {
        let mut packet = vec![0; bytes.max(16)];
        let sent = begun.elapsed().as_micros() as u64;
        for (place, byte) in packet.iter_mut().zip(number.to_be_bytes().into_iter().chain(sent.to_be_bytes()))
        {
            *place = byte;
        }
        // A full queue of the kernel is a loss like another.
        let _lost = socket.send(&packet);
        std::thread::sleep(PAUSE);
    }
    let heard = reader.join().unwrap_or_default();
    println!("{} {} {}", heard.came, heard.out_of_order, heard.shortest_us);
    Ok(())
}

#[derive(Default)]
struct Heard {
    came: u64,
    out_of_order: u64,
    shortest_us: u64,
}

fn listen(socket: &UdpSocket, begun: Instant) -> Heard {
    let mut heard = Heard { shortest_us: u64::MAX, ..Heard::default() };
    let mut buffer = [0; 2_048];
    let mut last = None;
    while let Ok(len) = socket.recv(&mut buffer) {
        let now = begun.elapsed().as_micros() as u64;
        let Some((number, sent)) = buffer.get(..len).and_then(read) else { continue };
        heard.came += 1;
        heard.out_of_order += u64::from(last.is_some_and(|last| number <= last));
        heard.shortest_us = heard.shortest_us.min(now.saturating_sub(sent));
        last = Some(number);
    }
    heard
}

fn read(packet: &[u8]) -> Option<(u32, u64)> {
    let number = packet.get(..4)?.try_into().ok()?;
    let sent = packet.get(4..12)?.try_into().ok()?;
    Some((u32::from_be_bytes(number), u64::from_be_bytes(sent)))
}
