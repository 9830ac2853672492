//! Real handshakes in memory, both ends from this module.

use rustls::{ClientConnection, Error, PeerIncompatible, ServerConnection};
use rustls_pki_types::{ServerName, UnixTime};

use super::*;
use crate::public::Period;
use crate::testing::{DAY, NOW, keys_of, keys_valid, party};

#[derive(Debug)]
struct At(i64);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.0.unsigned_abs())))
    }
}

fn clock(at: i64) -> Arc<dyn TimeProvider> {
    Arc::new(At(at))
}

fn gate_for(keys: &[&ChannelKey]) -> Arc<PeerGate> {
    let gate = PeerGate::closed();
    gate.replace(keys.iter().zip(1..).map(|(k, n)| (k.spki_sha256(), party(n)))).unwrap();
    Arc::new(gate)
}

/// Moves bytes both ways until nothing moves; the first error of either end is the result.
fn converse(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), Error> {
    for _ in 0..20 {
        let moved = carry(client, server)? + carry(server, client)?;
        if moved == 0 {
            break;
        }
    }
    Ok(())
}

fn carry<A, B, S, T>(from: &mut A, to: &mut B) -> Result<usize, Error>
where
    A: std::ops::DerefMut<Target = rustls::ConnectionCommon<S>>,
    B: std::ops::DerefMut<Target = rustls::ConnectionCommon<T>>,
    S: rustls::SideData,
    T: rustls::SideData,
{
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(wire.len())
}

fn connect(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), Error> {
    let mut client =
        ClientConnection::new(client, ServerName::try_from("anything.example").unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    converse(&mut client, &mut server)?;
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((client, server))
}

fn configs(
    client: &ChannelKey,
    server: &ChannelKey,
    gate: Arc<PeerGate>,
    at: i64,
) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let pin = server.spki_sha256();
    (
        client_config_with_clock(client, pin, clock(at)).unwrap(),
        server_config_with_clock(server, gate, clock(at)).unwrap(),
    )
}

#[test]
fn the_right_peer_gets_through_and_is_known() {
    let (client, server) = (keys_of(1, 0).channel, keys_of(2, 0).channel);
    let gate = gate_for(&[&client]);
    let (c, s) = configs(&client, &server, gate.clone(), NOW);
    let (c, s) = connect(c, s).unwrap();
    assert_eq!(s.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(s.alpn_protocol(), Some(ALPN_HTTP_1_1));
    let spki = peer_spki(s.peer_certificates().unwrap()).unwrap();
    assert_eq!(spki, client.spki_sha256());
    assert_eq!(gate.who(&spki), Some(party(1)));
    assert_eq!(peer_thumbprint(s.peer_certificates().unwrap()).unwrap(), client.certificate_sha256());
    assert_eq!(peer_spki(c.peer_certificates().unwrap()).unwrap(), server.spki_sha256());
    assert!(matches!(peer_spki(&[]), Err(TlsError::NoCertificate)));
}

#[test]
fn key_exchange_is_hybrid_post_quantum_by_default() {
    let (client, server) = (keys_of(1, 0).channel, keys_of(2, 0).channel);
    let (c, s) = configs(&client, &server, gate_for(&[&client]), NOW);
    let (c, _) = connect(c, s).unwrap();
    let group = c.negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), rustls::NamedGroup::X25519MLKEM768);
}

#[test]
fn a_client_that_is_not_on_the_list_is_refused() {
    let (client, server) = (keys_of(1, 0).channel, keys_of(2, 0).channel);
    let (c, s) = configs(&client, &server, gate_for(&[]), NOW);
    let refused = connect(c, s).unwrap_err().to_string();
    assert!(refused.contains("not on the allow-list"), "{refused}");
    // Same participant, other key: the name in the certificate is worth nothing.
    let (impostor, listed) = (keys_of(1, 9).channel, keys_of(1, 0).channel);
    let (c, s) = configs(&impostor, &server, gate_for(&[&listed]), NOW);
    assert!(connect(c, s).is_err());
}

#[test]
fn a_server_with_another_key_is_refused() {
    let (client, server, other) = (keys_of(1, 0).channel, keys_of(2, 0).channel, keys_of(3, 0).channel);
    let gate = gate_for(&[&client]);
    let s = server_config_with_clock(&other, gate, clock(NOW)).unwrap();
    let c = client_config_with_clock(&client, server.spki_sha256(), clock(NOW)).unwrap();
    let refused = connect(c, s).unwrap_err().to_string();
    assert!(refused.contains("not on the allow-list"), "{refused}");
}

#[test]
fn strangers_come_in_only_while_an_invitation_is_open() {
    let (client, server) = (keys_of(1, 0).channel, keys_of(2, 0).channel);
    let gate = gate_for(&[]);
    let (c, s) = configs(&client, &server, gate.clone(), NOW);
    assert!(connect(c.clone(), s.clone()).is_err());
    gate.allow_strangers(true);
    let (_, guest) = connect(c.clone(), s.clone()).unwrap();
    assert_eq!(gate.who(&peer_spki(guest.peer_certificates().unwrap()).unwrap()), None);
    gate.allow_strangers(false);
    assert!(connect(c, s).is_err());
}

#[test]
fn expired_and_future_certificates_are_refused_on_both_ends() {
    let valid = Period::new(NOW - DAY, NOW + DAY).unwrap();
    let short = Period::new(NOW - DAY, NOW - 1).unwrap();
    let late = Period::new(NOW + 60, NOW + DAY).unwrap();
    for (client, server, word) in [
        (short, valid, "Expired"),
        (valid, short, "Expired"),
        (late, valid, "NotValidYet"),
        (valid, late, "NotValidYet"),
    ] {
        let (client, server) = (keys_valid(1, 0, client).channel, keys_valid(2, 0, server).channel);
        // Even an open door for strangers does not let a bad certificate in.
        let gate = gate_for(&[&client]);
        gate.allow_strangers(true);
        let (c, s) = configs(&client, &server, gate, NOW);
        let refused = format!("{:?}", connect(c, s).unwrap_err());
        assert!(refused.contains(word), "{refused}");
    }
}

#[test]
fn a_client_without_certificate_is_refused() {
    let server = keys_of(2, 0).channel;
    let gate = gate_for(&[]);
    gate.allow_strangers(true);
    let s = server_config_with_clock(&server, gate, clock(NOW)).unwrap();
    let provider = provider();
    let c = ClientConfig::builder_with_details(provider.clone(), clock(NOW))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OnePeer::new(server.spki_sha256(), &provider)))
        .with_no_client_auth();
    assert_eq!(connect(Arc::new(c), s).unwrap_err(), Error::NoCertificatesPresented);
}

#[test]
fn a_certificate_signed_by_another_key_is_refused() {
    // One bit of the signature (the last bytes of a certificate) is turned: the pin still matches, the proof does not.
    let (client, server) = (keys_of(1, 0).channel, keys_of(2, 0).channel);
    let mut der = client.certificate().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let forged = CertificateDer::from(der);
    assert_eq!(spki_sha256(&forged).unwrap(), client.spki_sha256());
    let provider = provider();
    let c = ClientConfig::builder_with_details(provider.clone(), clock(NOW))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OnePeer::new(server.spki_sha256(), &provider)))
        .with_client_auth_cert(vec![forged], private_key(&client))
        .unwrap();
    let s = server_config_with_clock(&server, gate_for(&[&client]), clock(NOW)).unwrap();
    let refused = format!("{:?}", connect(Arc::new(c), s).unwrap_err());
    assert!(refused.contains("BadSignature"), "{refused}");
}

#[test]
fn somebody_elses_certificate_without_its_key_is_refused() {
    let (victim, thief, server) = (keys_of(1, 0).channel, keys_of(3, 0).channel, keys_of(2, 0).channel);
    let provider = provider();
    let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private_key(&thief)).unwrap();
    let stolen = rustls::sign::CertifiedKey::new(vec![victim.certificate().clone()], signing);
    let c = ClientConfig::builder_with_details(provider.clone(), clock(NOW))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OnePeer::new(server.spki_sha256(), &provider)))
        .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(stolen)));
    let s = server_config_with_clock(&server, gate_for(&[&victim]), clock(NOW)).unwrap();
    let refused = format!("{:?}", connect(Arc::new(c), s).unwrap_err());
    assert!(refused.contains("BadSignature"), "{refused}");
}

#[test]
fn a_removed_peer_is_refused_on_its_next_connection() {
    let (client, server) = (keys_of(1, 0).channel, keys_of(2, 0).channel);
    let gate = gate_for(&[&client]);
    // One pair of configurations throughout, as a real node has: a ticket from the first connection would be used.
    let (c, s) = configs(&client, &server, gate.clone(), NOW);
    for _ in 0..2 {
        let (_, s) = connect(c.clone(), s.clone()).unwrap();
        assert_eq!(s.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
    gate.replace([]).unwrap();
    assert!(connect(c, s).is_err());
}

#[test]
fn even_a_client_that_wants_to_resume_cannot() {
    let (client, server) = (keys_of(1, 0).channel, keys_of(2, 0).channel);
    let (c, s) = configs(&client, &server, gate_for(&[&client]), NOW);
    let mut eager = ClientConfig::clone(&c);
    eager.resumption = Resumption::in_memory_sessions(8);
    let eager = Arc::new(eager);
    for _ in 0..3 {
        let (c, s) = connect(eager.clone(), s.clone()).unwrap();
        assert_eq!(s.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(c.tls13_tickets_received(), 0);
    }
}

#[test]
fn tls_1_2_is_refused() {
    let server = keys_of(2, 0).channel;
    let s = server_config_with_clock(&server, gate_for(&[]), clock(NOW)).unwrap();
    let refused = |hello: &[u8]| {
        let mut s = ServerConnection::new(s.clone()).unwrap();
        s.read_tls(&mut &*hello).unwrap();
        s.process_new_packets().unwrap_err()
    };
    let old = refused(&client_hello(&[]));
    let named =
        [PeerIncompatible::Tls12NotOfferedOrEnabled, PeerIncompatible::SupportedVersionsExtensionRequired]
            .map(Error::PeerIncompatible);
    assert!(named.contains(&old), "{old:?}");
    // The same greeting, but offering 1.3, fails later and for another reason: so the version was what was refused.
    let new = refused(&client_hello(&[0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04]));
    assert!(!named.contains(&new), "{new:?}");
}

/// A ClientHello as a TLS 1.2 client sends it (RFC 5246 §7.4.1.2), with more extensions at the end.
fn client_hello(more: &[u8]) -> Vec<u8> {
    let mut extensions = vec![
        0x00, 0x0d, 0x00, 0x06, 0x00, 0x04, 0x08, 0x07, 0x04,
        0x03, // signature_algorithms: ed25519, ecdsa p256
        0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x1d, // supported_groups: x25519
        0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, // ec_point_formats: uncompressed
        0x00, 0x17, 0x00, 0x00, // extended_master_secret
    ];
    extensions.extend_from_slice(more);
    let mut body = vec![0x03, 0x03];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[0x00, 0x00, 0x04, 0xc0, 0x2b, 0x13, 0x02, 0x01, 0x00]);
    body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(&extensions);
    let mut hello = vec![0x16, 0x03, 0x01];
    hello.extend_from_slice(&(body.len() as u16 + 4).to_be_bytes());
    hello.extend_from_slice(&[0x01, 0x00]);
    hello.extend_from_slice(&(body.len() as u16).to_be_bytes());
    hello.extend_from_slice(&body);
    hello
}

#[test]
fn a_list_that_gives_one_key_to_two_is_not_taken_over() {
    let gate = gate_for(&[&keys_of(1, 0).channel]);
    let before = keys_of(1, 0).channel.spki_sha256();
    let shared = gate.replace([([1; 32], party(1)), ([1; 32], party(2))]);
    assert!(matches!(shared, Err(PeerGateError::SharedKey { .. })));
    assert_eq!(gate.who(&before), Some(party(1)), "the old list stays");
    let key = |n: usize| {
        let mut out = [0; 32];
        out[..8].copy_from_slice(&n.to_be_bytes());
        (out, party(1))
    };
    assert_eq!(gate.replace((0..GATE_PEERS_MAX).map(key)), Ok(()));
    assert_eq!(gate.replace((0..=GATE_PEERS_MAX).map(key)), Err(PeerGateError::TooMany));
}

#[test]
fn our_own_certificate_is_checked_as_peers_will() {
    let keys = keys_valid(1, 0, Period::new(NOW - DAY, NOW + DAY).unwrap());
    check_own(&keys.channel, NOW).unwrap();
    for at in [NOW - 2 * DAY, NOW + 2 * DAY] {
        assert!(matches!(check_own(&keys.channel, at), Err(TlsError::OwnKey(_))), "{at}");
    }
}
