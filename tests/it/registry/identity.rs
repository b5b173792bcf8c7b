//! Registries that want to see a certificate of their clients, and the folders in which Docker and Podman keep these.

use layersift::finding::Reason;
use layersift::source::registry::ClientCertificate;

use super::certificates::Authority;
use super::*;

/// An authority's certificate, and a client's of that authority with its key, in `temp`.
fn files(temp: &Temp, authority: &Authority) -> RegistryOptions {
    let (certificate, key) = authority.client();
    let client = ClientCertificate { certificate: temp.file("client.cert", certificate), key: temp.file("client.key", key) };
    RegistryOptions { ca_file: Some(temp.file("ca.crt", authority.pem())), client_certificate: Some(client), ..options() }
}

fn strict(authority: &Authority, name: &str) -> Server {
    Server::start_tls(authority.strict_server(name), shelf(), |_, reply| reply)
}

#[test]
fn a_certificate_is_shown_to_a_registry_that_wants_one() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (temp, other) = (Temp::new(), Temp::new());
    let server = strict(&ours, "127.0.0.1");
    let with = files(&temp, &ours);
    let outcome = scan_with(&server, with.clone());
    assert!(outcome.notes.is_empty(), "{:?}", outcome.notes);
    assert_eq!(sound(outcome).findings.len(), 2);
    let of_others = files(&other, &theirs).client_certificate;
    for client_certificate in [None, of_others] {
        let (error, hint) = failure(&server, RegistryOptions { client_certificate, ..with.clone() });
        assert!(error.ends_with("the registry wants a certificate of its clients, and has got none that it accepts"), "{error}");
        assert!(hint.contains("--client-cert and --client-key"), "{hint}");
    }
}

#[test]
fn a_certificate_is_shown_to_nobody_else() {
    let authority = Authority::new("ours");
    let temp = Temp::new();
    let with = files(&temp, &authority);
    let elsewhere = strict(&authority, "localhost");
    let place = format!("localhost:{}", elsewhere.address.rsplit(':').next().unwrap());
    let (base, second) = (format!("https://{place}"), shelf().layers()[1].to_string());
    let registry = Server::start_tls(authority.strict_server("127.0.0.1"), shelf(), move |request, reply| {
        if request.path.contains(&second) { Reply::to(&format!("{base}{}", request.path)) } else { reply }
    });
    let scan = sound(scan_with(&registry, with.clone()));
    assert_eq!(reasons(&scan), [Reason::Unreadable]);
    assert!(scan.coverage.skipped[0].detail.contains("wants a certificate of its clients"), "{:?}", scan.coverage.skipped);

    let registry = strict(&authority, "127.0.0.1");
    let mirrors = vec![format!("{}=https://{place}", registry.address).parse().unwrap()];
    let outcome = scan_with(&registry, RegistryOptions { mirrors, ..with });
    assert!(outcome.notes.iter().any(|note| note.contains("wants a certificate of its clients")), "{:?}", outcome.notes);
    assert_eq!(sound(outcome).findings.len(), 2);
    assert!(elsewhere.requests().is_empty());
}

#[test]
#[cfg(unix)]
fn certificates_lie_in_a_folder_of_the_registry() {
    let authority = Authority::new("ours");
    let home = Temp::new();
    let server = strict(&authority, "127.0.0.1");
    let (certificate, key) = authority.client();
    let put = |host: &str| {
        let folder = format!(".config/containers/certs.d/{host}");
        home.file(&format!("{folder}/ca.crt"), authority.pem());
        home.file(&format!("{folder}/client.cert"), &certificate);
        home.file(&format!("{folder}/client.key"), &key)
    };
    put("127.0.0.1");
    let elsewhere = run(&[&server.image()], &home);
    assert!(elsewhere.code == 2 && elsewhere.stderr.contains("unknown authority"), "of another port: {}", elsewhere.stderr);
    let key_file = put(&server.address);
    let said = run(&[&server.image()], &home);
    assert_eq!((said.code, said.stderr.as_str()), (1, ""));
    std::fs::remove_file(&key_file).unwrap();
    let said = run(&[&server.image()], &home);
    assert!(said.code == 2 && said.stderr.contains(&format!("cannot use {}: ", key_file.display())), "{}", said.stderr);
}

#[test]
fn files_that_are_no_certificate_or_no_key_are_said_by_name() {
    let authority = Authority::new("ours");
    let (temp, other) = (Temp::new(), Temp::new());
    let server = strict(&authority, "127.0.0.1");
    let sound = files(&temp, &authority).client_certificate.unwrap();
    let of_another = files(&other, &authority).client_certificate.unwrap().key;
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let nonsense = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let table = [
        (sound.certificate.clone(), of_another, "it is not the key of "),
        (sound.certificate.clone(), temp.file("encrypted", encrypted), "there is no private key in it that is not encrypted"),
        (sound.certificate.clone(), temp.file("nonsense", nonsense), "with it nothing can be signed"),
        (sound.certificate.clone(), sound.certificate.clone(), "there is no private key in it"),
        (sound.certificate.clone(), temp.path("none"), "No such file"),
        (sound.key.clone(), sound.key.clone(), "there is no certificate in it"),
    ];
    for (certificate, key, message) in table {
        let home = Temp::new();
        let mut command = scan_by(&home);
        command.arg(server.image()).arg("--client-cert").arg(&certificate).arg("--client-key").arg(&key);
        let said = Run::new(command.output().unwrap());
        assert!(said.code == 2 && said.stderr.contains("cannot use ") && said.stderr.contains(message), "{message}: {}", said.stderr);
        assert!(!said.stderr.contains("-----BEGIN"), "{}", said.stderr);
    }
    assert!(server.requests().is_empty());
}
