//! Signatures that do not verify: of the chain, of the key exchange, of the client. They are looked at only where the
//! peer refused: a good connection costs nothing.

use super::refusal::{Refusal, how_it_ended, of_client, of_server};
use super::server_cert::{chain, on_cert, relations};
use super::{Confidence, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::span::Role;
use crate::tls::names::ProtocolVersion;
use crate::x509::{Verdict, verifies};

pub(super) const RULES: &[Rule] = &[
    new(
        "chain-signature-invalid",
        Severity::Error,
        61,
        "A certificate of the server is not signed by the CA that is sent as its issuer",
        page(
            "The signature of a certificate does not verify with the key of the CA in the list that bears its issuer's name.",
            "The CA was made anew under the same name with another key, and the chain file has the wrong generation; or the certificate was changed after it was signed. OpenSSL says \"certificate signature failure\" and sends decrypt_error, Go \"crypto: error verifying signature\".",
            "The signature was computed again from the bytes in the capture: that it is wrong is certain. Kinds that cannot be judged here (P-521, Ed448, DSA, MD5, short RSA keys) are never called wrong. Only connections that the client refused are looked at. A client that has the right CA in its own store does not mind: it is the cause for certain only with decrypt_error.",
            "Send the CA certificate whose key signed: openssl verify finds it. Keep one generation of a CA per name, or give every generation a name of its own.",
            "  openssl verify -partial_chain -trusted intermediate.pem server.pem",
            "RFC 5280, section 6.1.3; RFC 8446, section 6.2",
        ),
        chain_signature,
    ),
    new(
        "ske-signature-invalid",
        Severity::Error,
        62,
        "The server's signature of the key exchange does not verify with its certificate",
        page(
            "The ServerKeyExchange of TLS 1.2 is signed; the signature over both randoms and the parameters was not made by the key of the server's certificate.",
            "Key and certificate do not belong together (a renewed certificate with the old key in an HSM or a key server), the key operation is broken (memory, hardware, driver), or somebody between the two changed the handshake. OpenSSL says \"bad signature\" and sends decrypt_error.",
            "The signature was computed again from the bytes in the capture; where a part of them is missing or was sent twice with different contents, nothing is said. Only connections that the client refused are looked at.",
            "On the server, compare the public keys of certificate and key, and look at what makes the signature (HSM, PKCS #11, remote key server):\n  openssl x509 -in server.pem -noout -pubkey | openssl sha256\n  openssl pkey -in server.key -pubout | openssl sha256",
            "  openssl s_client -connect HOST:PORT -tls1_2 </dev/null | grep -i -A2 'signature'",
            "RFC 5246, section 7.4.3; RFC 8422, section 5.4",
        ),
        exchange_signature,
    ),
    new(
        "certificate-verify-invalid",
        Severity::Error,
        62,
        "The client's signature does not verify with its certificate",
        page(
            "The CertificateVerify of TLS 1.2 signs all messages of the handshake before it; that signature was not made by the key of the client's certificate.",
            "Key and certificate do not belong together (a renewed certificate with the old key in a token or key store), the key operation is broken (smart card, TPM or HSM driver, RSA-PSS salt), or somebody between the two changed a message. OpenSSL says \"bad signature\" and sends decrypt_error.",
            "The signature was computed again from the bytes in the capture; where a part of them is missing or was sent twice with different contents, nothing is said. Only connections that the server refused are looked at.",
            "On the client, compare the public keys of certificate and key, and look at what makes the signature (PKCS #11 module, TPM):\n  openssl x509 -in client.pem -noout -pubkey | openssl sha256\n  openssl pkey -in client.key -pubout | openssl sha256",
            "  openssl s_client -connect HOST:PORT -tls1_2 -cert client.pem -key client.key </dev/null",
            "RFC 5246, section 7.4.8",
        ),
        client_signature,
    ),
];

/// How well a signature that is wrong explains a refusal.
fn sure(r: &Refusal) -> Option<Confidence> {
    match r.alert.map(|a| a.0) {
        Some(51) => Some(Confidence::Certain),
        Some(40 | 42 | 46 | 47 | 48 | 80) => Some(Confidence::Likely),
        None => Some(Confidence::Likely),
        Some(_) => None,
    }
}

fn chain_signature(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = of_server(f)?;
    let sure = sure(&r)?;
    let link = f.of(Role::Server).certificates.as_ref()?.broken_link()?;
    // Key identifiers that differ say the same, and are what a client looks at before it verifies anything.
    let told = relations(f)?.aki_ski_mismatch.contains(&link) && sure < Confidence::Certain;
    let (certs, (child, issuer)) = (chain(f)?, link);
    let (child, issuer) = (certs.get(child)?, certs.get(issuer)?);
    let detail = format!(
        "The signature of {} was not made by the key of {}. {}",
        words::cert(child),
        words::cert(issuer),
        how_it_ended(f, &r)
    );
    let remedy = "On the server: send the CA certificate whose key signed the certificate below it.";
    let hit = on_cert(f, Hit::new(detail, remedy)).at(r.mark);
    Some(if told { hit.beside().severity(Severity::Warning) } else { hit.sure(sure) })
}

/// A hole or a conflict may hide what was really signed.
fn doubtful(f: &FlowFacts) -> bool {
    f.client_hellos != 1 || f.sides.iter().any(|s| s.handshake_gap || s.mid_stream || !s.conflicts.is_empty())
}

fn client_signature(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = of_client(f)?;
    let (sure, signed) = (sure(&r)?, f.client_signed.as_ref()?);
    let client = f.of(Role::Client);
    let ((mark, scheme), sent) = (client.certificate_verify?, client.certificates.as_ref()?);
    let (scheme, own) = (scheme?, sent.chain.first()?);
    if doubtful(f) || verifies(own, scheme, &signed.params, &signed.signature) != Verdict::Invalid {
        return None;
    }
    let detail = format!(
        "The signature ({}) in the CertificateVerify of frame {} was not made by the key of {}. {}",
        words::schemes(&[scheme.0]),
        mark.frame,
        words::cert(own),
        how_it_ended(f, &r)
    );
    let remedy =
        "On the client: check that key and certificate belong together, and what makes the signatures (token, HSM).";
    Some(Hit::new(detail, remedy).at(sent.mark).at(mark).at(r.mark).blame(Role::Client).sure(sure))
}

fn exchange_signature(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = of_server(f)?;
    let sure = sure(&r)?;
    let ((mark, k), signed) = (f.server_key_exchange?, f.server_signed.as_ref()?);
    let scheme = k.signature_scheme.filter(|_| f.version() == Some(ProtocolVersion::TLS12))?;
    let (h, sh) = (f.client_hello.as_ref()?, f.server_hello.as_ref()?);
    if doubtful(f) || h.message.ssl2_format {
        return None;
    }
    // TLS signs with the key of the first certificate, whatever the order of the list.
    let own = chain(f)?.first()?;
    let message = [&h.message.random[..], &sh.message.random[..], &signed.params[..]].concat();
    if verifies(own, scheme, &message, &signed.signature) != Verdict::Invalid {
        return None;
    }
    let detail = format!(
        "The signature ({}) in the ServerKeyExchange of frame {} was not made by the key of {}. {}",
        words::schemes(&[scheme.0]),
        mark.frame,
        words::cert(own),
        how_it_ended(f, &r)
    );
    let remedy = "On the server: check that key and certificate belong together, and what makes the signatures (HSM, key server).";
    Some(on_cert(f, Hit::new(detail, remedy)).at(mark).at(r.mark).sure(sure))
}
