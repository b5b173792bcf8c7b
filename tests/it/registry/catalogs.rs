//! What services list: each by the shapes that its documentation shows, page by page, with and without a login, and when they lie.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use layersift::audit::catalog::{self, Catalog, Tag, Target, Times};
use layersift::source::registry::{Credential, RegistryError};
use serde_json::{Value, json};

use super::*;

/// The registry whose service is asked. Nobody connects to it.
const REGISTRY: &str = "registry.example";
const PASSWORD: &str = "correct-horse-battery-1";

/// A service that answers what `answer` gives, and otherwise that there is no such thing.
fn service(answer: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::start(Shelf::default(), move |request, due| answer(request).unwrap_or(due))
}

fn page(document: &Value) -> Option<Reply> {
    Some(Reply::new(200, document.to_string()).with("Content-Type", "application/json"))
}

fn host(request: &Request) -> String {
    request.header("host").unwrap().to_owned()
}

fn linked(document: &Value, next: &str) -> Option<Reply> {
    page(document).map(|reply| reply.with("Link", format!("<{next}>; rel=\"next\", <http://127.0.0.1:1/>; rel=\"last\"")))
}

/// `service` is a word of `--catalog`; for the distribution API the server is the registry itself.
fn open(server: &Server, service: &str, prefix: &str, registry: &RegistryOptions, times: Times) -> Box<dyn Catalog> {
    let (of, url) = if service == "distribution" { (server.address.as_str(), None) } else { (REGISTRY, Some(server.url(""))) };
    let target = Target::parse(&format!("registry://{of}/{prefix}"), service.parse().unwrap(), url.as_deref()).unwrap();
    catalog::open(&target, registry, times).unwrap()
}

fn public(server: &Server, service: &str, prefix: &str) -> Box<dyn Catalog> {
    open(server, service, prefix, &options(), Times::Wanted)
}

fn as_user(user: &str, password: &str) -> RegistryOptions {
    let given = Some((REGISTRY.to_owned(), Credential::password(user, password)));
    RegistryOptions { logins: Logins { given, files: Vec::new() }, ..options() }
}

fn private(server: &Server, service: &str, prefix: &str, user: &str, password: &str) -> Box<dyn Catalog> {
    open(server, service, prefix, &as_user(user, password), Times::Wanted)
}

/// What the user is told, which never has the password in it.
#[track_caller]
fn told(error: &RegistryError) -> String {
    let all = format!("{error}\n{}\n{error:?}", error.hint().unwrap_or_default());
    assert!(!all.contains(PASSWORD) && !all.contains("Bearer") && !all.contains("Basic "), "{all}");
    format!("{error} -- {}", error.hint().unwrap_or_default())
}

#[track_caller]
fn refused(catalog: &dyn Catalog) -> String {
    told(&catalog.repositories().unwrap_err())
}

#[track_caller]
fn names(catalog: &dyn Catalog) -> Vec<String> {
    catalog.repositories().unwrap_or_else(|error| panic!("{error}"))
}

/// `NAME` or `NAME@SECONDS`.
#[track_caller]
fn tags(catalog: &dyn Catalog, repository: &str) -> Vec<String> {
    let text = |tag: Tag| tag.pushed.map_or_else(|| tag.name.clone(), |pushed| format!("{}@{pushed}", tag.name));
    catalog.tags(repository).unwrap_or_else(|error| panic!("{error}")).into_iter().map(text).collect()
}

#[test]
fn a_registry_lists_by_the_distribution_api() {
    let server = service(|request| match request.path.as_str() {
        "/v2/_catalog?n=1000" => linked(&json!({ "repositories": ["team/b", "team/a", "teams/c"] }), "/v2/_catalog?n=1000&last=x"),
        "/v2/_catalog?n=1000&last=x" => page(&json!({ "repositories": ["team", "team/a"] })),
        "/v2/team/a/tags/list?n=1000" => linked(&json!({ "name": "team/a", "tags": ["2", "1"] }), "/v2/team/a/tags/list?last=2"),
        "/v2/team/a/tags/list?last=2" => page(&json!({ "name": "team/a", "tags": null })),
        _ => None,
    });
    let whole = public(&server, "distribution", "");
    assert_eq!(names(&*whole), ["team", "team/a", "team/b", "teams/c"]);
    assert_eq!(tags(&*whole, "team/a"), ["1", "2"]);
    assert_eq!(whole.notes().len(), 1, "plain HTTP is said");
    assert_eq!(names(&*public(&server, "distribution", "team")), ["team", "team/a", "team/b"]);
    assert!(refused(&*public(&server, "distribution", "other")).contains("there is none, or no access to it"));
}

#[test]
fn a_registry_that_keeps_its_list_says_so_and_a_repository_needs_none() {
    for status in [401, 403, 404, 405] {
        let server = service(move |request| match request.path.as_str() {
            "/v2/team/a/tags/list?n=1000" => page(&json!({ "tags": ["1"] })),
            "/v2/_catalog?n=1000" => Some(Reply::new(status, "").with("WWW-Authenticate", "Basic realm=\"x\"")),
            _ => None,
        });
        let error = refused(&*public(&server, "distribution", "team"));
        assert!(error.contains("the registry does not list its repositories: ") && error.contains("--catalog, or give a list"), "{error}");
        assert_eq!(names(&*public(&server, "distribution", "team/a")), ["team/a"]);
    }
}

/// Docker Hub with a public repository, and a private one for those who log in. Each token is good for `uses` requests.
fn hub(uses: usize) -> Server {
    let (given, used) = (AtomicUsize::new(0), AtomicUsize::new(0));
    service(move |request| {
        if request.path == "/v2/auth/token" {
            let login: Value = serde_json::from_str(&request.body).unwrap();
            assert_eq!((request.method.as_str(), request.header("content-type")), ("POST", Some("application/json")));
            if login != json!({ "identifier": "user", "secret": PASSWORD }) {
                return Some(Reply::new(401, r#"{"detail":"Incorrect authentication credentials"}"#));
            }
            used.store(0, SeqCst);
            return page(&json!({ "access_token": format!("jwt{}", given.fetch_add(1, SeqCst) + 1) }));
        }
        let is_known = match request.header("authorization") {
            Some(header) if header != format!("Bearer jwt{}", given.load(SeqCst)) || used.fetch_add(1, SeqCst) >= uses => {
                return Some(Reply::new(401, ""));
            }
            header => header.is_some(),
        };
        let next = |page: u32| format!("http://{}/v2/namespaces/team/repositories?page={page}&page_size=100", host(request));
        match request.path.as_str() {
            "/v2/namespaces/team/repositories?page_size=100" => page(
                &json!({ "count": 2, "next": is_known.then(|| next(2)), "previous": null, "results": [{ "name": "open", "namespace": "team" }] }),
            ),
            "/v2/namespaces/team/repositories?page=2&page_size=100" if is_known => {
                page(&json!({ "count": 2, "next": null, "previous": next(1), "results": [{ "name": "closed", "namespace": "team" }] }))
            }
            "/v2/namespaces/team/repositories/open/tags?page_size=100" => page(&json!({ "count": 3, "next": null, "results": [
                { "name": "latest", "last_updated": "2021-01-05T21:06:53.506400Z", "tag_last_pushed": "2021-01-05T21:06:54.5Z" },
                { "name": "1.0", "last_updated": "2021-01-05T21:06:53.506400Z", "tag_last_pushed": null },
                { "name": "0.9" },
            ] })),
            _ => None,
        }
    })
}

#[test]
fn docker_hub_lists_a_namespace() {
    let server = hub(usize::MAX);
    let anybody = public(&server, "hub", "team");
    assert_eq!(names(&*anybody), ["team/open"]);
    assert_eq!(tags(&*anybody, "team/open"), ["0.9", "1.0@1609880813", "latest@1609880814"]);
    assert_eq!(names(&*private(&server, "hub", "team", "user", PASSWORD)), ["team/closed", "team/open"]);
    assert_eq!(names(&*private(&server, "hub", "team/closed", "user", PASSWORD)), ["team/closed"]);
    let error = refused(&*private(&server, "hub", "team", "user", "wrong"));
    assert!(
        error.contains(&format!("the API at {}: the registry does not accept the login -- log in with `docker login`", server.address)),
        "{error}"
    );
    assert!(refused(&*public(&server, "hub", "nobody")).contains("there is none, or no access to it -- look at the spelling"));
    // The password goes along with no other request.
    let others = server.requests().into_iter().filter(|request| request.path != "/v2/auth/token");
    assert!(others.clone().count() > 5 && others.into_iter().all(|request| !format!("{request:?}").contains(PASSWORD)));
}

#[test]
fn a_token_of_docker_hub_that_runs_out_is_renewed() {
    let server = hub(2);
    let catalog = private(&server, "hub", "team", "user", PASSWORD);
    for _ in 0..3 {
        assert_eq!(names(&*catalog), ["team/closed", "team/open"]);
    }
    assert_eq!(server.count(|request| request.path == "/v2/auth/token"), 3);
    assert!(refused(&*private(&hub(0), "hub", "team", "user", PASSWORD)).contains("does not accept the login"));
}

/// GitHub for one owner, who is an organisation or a user.
fn github(kind: &'static str) -> Server {
    service(move |request| {
        assert_eq!(request.header("accept"), Some("application/vnd.github+json"));
        assert_eq!(request.header("x-github-api-version"), Some("2022-11-28"));
        if request.header("authorization") != Some(&format!("Bearer {PASSWORD}")) {
            return Some(Reply::new(401, r#"{"message":"Requires authentication"}"#));
        }
        let version = |updated: &str, tags: &[&str]| {
            json!({ "id": 1, "name": "sha256:1234", "created_at": "2020-01-01T00:00:00Z", "updated_at": updated,
                    "metadata": { "package_type": "container", "container": { "tags": tags } } })
        };
        let path = request.path.strip_prefix(&format!("/{kind}/team/packages"))?;
        match path {
            "?package_type=container&per_page=100" => {
                linked(&json!([{ "id": 1, "name": "app", "package_type": "container" }]), "?package_type=container&per_page=100&page=2")
            }
            "?package_type=container&per_page=100&page=2" => page(&json!([{ "id": 2, "name": "tools/cli", "package_type": "container" }])),
            "/container/app/versions?per_page=100" => {
                page(&json!([version("2021-01-05T21:06:53Z", &["1", "latest"]), version("2021-01-01T00:00:00Z", &[])]))
            }
            "/container/tools%2Fcli/versions?per_page=100" => page(&json!([version("2021-01-05T21:06:54Z", &["2"])])),
            _ => None,
        }
    })
}

#[test]
fn github_lists_the_packages_of_an_organisation_or_a_user() {
    for (kind, questions) in [("orgs", 4), ("users", 5)] {
        let server = github(kind);
        let catalog = private(&server, "ghcr", "team", "user", PASSWORD);
        assert_eq!(names(&*catalog), ["team/app", "team/tools/cli"]);
        assert_eq!(tags(&*catalog, "team/app"), ["1@1609880813", "latest@1609880813"]);
        assert_eq!(tags(&*catalog, "team/tools/cli"), ["2@1609880814"]);
        assert_eq!(server.requests().len(), questions);
        // Who lists tags only finds out as well.
        assert_eq!(tags(&*private(&server, "ghcr", "team", "user", PASSWORD), "team/tools/cli"), ["2@1609880814"]);
        assert_eq!(names(&*private(&server, "ghcr", "team/tools", "user", PASSWORD)), ["team/tools/cli"]);
        let error = refused(&*public(&server, "ghcr", "team"));
        assert!(error.contains("the registry wants a login -- GitHub lists packages for a login only"), "{error}");
        assert!(refused(&*private(&server, "ghcr", "team", "user", "wrong")).contains("does not accept the login -- GitHub"));
        assert!(refused(&*private(&server, "ghcr", "others", "user", PASSWORD)).contains("there is none"));
    }
}

/// GitLab with a group that has a project with two repositories.
fn gitlab() -> Server {
    service(|request| {
        let is_job = request.header("job-token") == Some(PASSWORD);
        if request.header("private-token") != Some(PASSWORD) && !is_job {
            return Some(Reply::new(401, r#"{"message":"401 Unauthorized"}"#));
        }
        let repository = |id: u64, path: &str| json!({ "id": id, "name": "", "path": path, "project_id": 7, "location": format!("registry.example/{path}") });
        let root = || json!([repository(1, "group/project")]);
        let nested = || json!([repository(2, "group/project/web/server")]);
        let path = request.path.strip_prefix("/api/v4/")?;
        match path {
            "groups/group/registry/repositories?per_page=100" => {
                let next = format!("http://{}/api/v4/groups/group/registry/repositories?page=2&per_page=100", host(request));
                linked(&root(), &next)
            }
            "groups/group/registry/repositories?page=2&per_page=100" => page(&nested()),
            "projects/group%2Fproject/registry/repositories?per_page=100" => {
                page(&Value::Array([root(), nested()].iter().flat_map(|list| list.as_array().unwrap().clone()).collect()))
            }
            "projects/7/registry/repositories/2/tags?per_page=100" => {
                page(&json!([{ "name": "b", "path": "x:b", "location": "x" }, { "name": "a" }, { "name": "gone" }]))
            }
            "projects/7/registry/repositories/2/tags/a" => {
                page(&json!({ "name": "a", "created_at": "2021-01-05T21:06:53.000+00:00", "total_size": 1 }))
            }
            "projects/7/registry/repositories/2/tags/b" => page(&json!({ "name": "b", "created_at": null })),
            _ => None,
        }
    })
}

#[test]
fn gitlab_lists_a_group_a_project_or_a_part_of_it() {
    let server = gitlab();
    let all = ["group/project", "group/project/web/server"];
    assert_eq!(names(&*private(&server, "gitlab", "group", "user", PASSWORD)), all);
    assert_eq!(names(&*private(&server, "gitlab", "group/project", "gitlab-ci-token", PASSWORD)), all);
    assert_eq!(names(&*private(&server, "gitlab", "group/project/web", "user", PASSWORD)), all[1..]);
    assert!(refused(&*private(&server, "gitlab", "group/other", "user", PASSWORD)).contains("there is none"));
    assert!(refused(&*private(&server, "gitlab", "nobody", "user", PASSWORD)).contains("there is none"));
    assert!(refused(&*public(&server, "gitlab", "group")).contains("the registry wants a login -- log in at the registry"));
    assert!(refused(&*private(&server, "gitlab", "group", "user", "wrong")).contains("does not accept the login"));
}

#[test]
fn gitlab_tells_the_times_of_tags_one_by_one_if_they_are_wanted() {
    let server = gitlab();
    // Nothing was listed before.
    assert_eq!(tags(&*private(&server, "gitlab", "group", "user", PASSWORD), "group/project/web/server"), ["a@1609880813", "b", "gone"]);
    let before = server.requests().len();
    let spared = open(&server, "gitlab", "group", &as_user("user", PASSWORD), Times::Spared);
    assert_eq!(tags(&*spared, "group/project/web/server"), ["a", "b", "gone"]);
    assert_eq!(server.requests().len() - before, 3);
    assert!(told(&spared.tags("group/unknown").unwrap_err()).contains("group/unknown: cannot get the list of tags: there is none"));
}

/// Harbor with a project of `count` repositories, which says that it has `claimed`, or nothing if that is 0.
fn harbor(count: usize, claimed: usize) -> Server {
    service(move |request| {
        if request.header("authorization") != Some(&format!("Basic {}", BASE64_STANDARD.encode(format!("robot$x:{PASSWORD}")))) {
            return Some(Reply::new(401, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#));
        }
        let (path, query) = request.path.strip_prefix("/api/v2.0")?.split_once('?')?;
        let number: usize = query.strip_prefix("page=")?.split('&').next()?.parse().ok()?;
        assert!(query.contains("&page_size=100"), "{query}");
        let repositories = || {
            let names = (0..count).map(|number| json!({ "name": format!("team/r{number:03}"), "artifact_count": 1 }));
            Value::Array(names.skip((number - 1) * 100).take(100).collect())
        };
        match path {
            "/projects/team/repositories" | "/repositories" => {
                page(&repositories()).map(|reply| if claimed > 0 { reply.with("X-Total-Count", claimed.to_string()) } else { reply })
            }
            "/projects/team/repositories/a%252Fb/artifacts" => page(&json!([
                { "digest": "sha256:1", "push_time": "2021-01-05T21:06:53.506Z", "tags": [{ "name": "1", "push_time": "2021-01-05T21:06:54.5Z" }, { "name": "2" }] },
                { "digest": "sha256:2", "push_time": "2021-01-05T21:06:53.506Z", "tags": null },
            ])),
            _ => None,
        }
    })
}

#[test]
fn harbor_lists_a_project_in_numbered_pages() {
    for (count, claimed, pages) in [(250, 250, 3), (250, 0, 3), (200, 200, 2), (200, 0, 3), (3, 3, 1)] {
        let server = harbor(count, claimed);
        let found = names(&*private(&server, "harbor", "team", "robot$x", PASSWORD));
        assert_eq!((found.len(), found.last().unwrap()), (count, &format!("team/r{:03}", count - 1)));
        assert_eq!(server.requests().len(), pages, "{count}");
    }
    let server = harbor(3, 3);
    assert_eq!(names(&*private(&server, "harbor", "", "robot$x", PASSWORD)).len(), 3);
    assert_eq!(names(&*private(&server, "harbor", "team/r001", "robot$x", PASSWORD)), ["team/r001"]);
    let catalog = private(&server, "harbor", "team", "robot$x", PASSWORD);
    assert_eq!(tags(&*catalog, "team/a/b"), ["1@1609880814", "2@1609880813"]);
    assert!(refused(&*public(&server, "harbor", "team")).contains("the registry wants a login"));
    assert!(
        refused(&*private(&server, "harbor", "team", "robot$x", "wrong")).contains("does not accept the login -- log in at the registry")
    );
    let error = refused(&*private(&harbor(3, 4), "harbor", "team", "robot$x", PASSWORD));
    assert!(error.contains("it lists fewer entries than it says"), "{error}");
}

/// Quay with a public repository, and a private one for those with a token.
fn quay() -> Server {
    service(|request| {
        let is_known = match request.header("authorization") {
            Some(header) if header != format!("Bearer {PASSWORD}") => return Some(Reply::new(401, "")),
            header => header.is_some(),
        };
        let repository = |name: &str| json!({ "namespace": "team", "name": name, "kind": "image", "is_public": true });
        let list = "/api/v1/repository?namespace=team&public=true&repo_kind=image";
        match request.path.as_str() {
            path if path == list && is_known => page(&json!({ "repositories": [repository("open")], "next_page": "a+b/&c==" })),
            path if path == list => page(&json!({ "repositories": [repository("open")] })),
            path if path == format!("{list}&next_page=a%2Bb/%26c%3D%3D") => page(&json!({ "repositories": [repository("a/b")] })),
            "/api/v1/repository/team/a/b/tag/?onlyActiveTags=true&limit=100&page=1" if is_known => page(&json!({
                "tags": [{ "name": "1", "start_ts": 1_717_680_780, "last_modified": "Thu, 06 Jun 2024 13:33:00 -0000" }], "page": 1, "has_additional": true,
            })),
            "/api/v1/repository/team/a/b/tag/?onlyActiveTags=true&limit=100&page=2" if is_known => page(&json!({
                "tags": [{ "name": "2", "last_modified": "Thu, 06 Jun 2024 13:33:01 -0000" }, { "name": "3" }], "page": 2, "has_additional": false,
            })),
            _ => None,
        }
    })
}

#[test]
fn quay_lists_a_namespace() {
    let server = quay();
    assert_eq!(names(&*public(&server, "quay", "team")), ["team/open"]);
    let known = private(&server, "quay", "team", "$oauthtoken", PASSWORD);
    assert_eq!(names(&*known), ["team/a/b", "team/open"]);
    assert_eq!(tags(&*known, "team/a/b"), ["1@1717680780", "2@1717680781", "3"]);
    assert!(refused(&*private(&server, "quay", "team", "$oauthtoken", "wrong")).contains("does not accept the login"));
    // A robot's password is not for the API.
    let before = server.requests().len();
    assert_eq!(names(&*private(&server, "quay", "team", "team+robot", PASSWORD)), ["team/open"]);
    assert!(server.requests()[before..].iter().all(|request| request.header("authorization").is_none()));
}

/// Every service, with a login that it would take, and the shape of its list with one name.
const SERVICES: [(&str, &str); 5] = [("hub", "user"), ("ghcr", "user"), ("gitlab", "user"), ("harbor", "user"), ("quay", "$oauthtoken")];

fn list_of(service: &str, names: &[&str]) -> Value {
    match service {
        "hub" => json!({ "next": null, "results": names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() }),
        "gitlab" => names.iter().map(|name| json!({ "id": 1, "project_id": 1, "path": format!("team/{name}") })).collect(),
        "harbor" => names.iter().map(|name| json!({ "name": format!("team/{name}") })).collect(),
        "quay" => json!({ "repositories": names.iter().map(|name| json!({ "namespace": "team", "name": name })).collect::<Vec<_>>() }),
        _ => names.iter().map(|name| json!({ "name": name })).collect(),
    }
}

/// A service that answers every question with `reply`, but for logins.
fn always(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
    service(move |request| if request.path == "/v2/auth/token" { page(&json!({ "access_token": "jwt" })) } else { Some(reply(request)) })
}

#[test]
fn lists_that_make_no_sense_are_refused() {
    for (word, user) in SERVICES {
        let sound = always(move |_| page(&list_of(word, &["app"])).unwrap());
        assert_eq!(names(&*private(&sound, word, "team", user, PASSWORD)), ["team/app"], "{word}");
        for name in ["../../etc", "App", "a b", "", "a?b", "a\u{1b}[31m", &"a".repeat(300)] {
            let list = list_of(word, &["app", name]);
            let error = refused(&*private(&always(move |_| page(&list).unwrap()), word, "team", user, PASSWORD));
            assert!(error.contains("it lists names that are none"), "{word} {name}: {error}");
        }
        let table: [(Reply, &str); 5] = [
            (Reply::new(200, "hello"), "it is no list"),
            (Reply::new(200, "{}"), "it is no list"),
            (Reply::new(200, "<html>").with("Content-Type", "text/html"), "it answers with a web page"),
            (Reply { length: Some(65 << 20), ..Reply::new(200, "[]") }, "it is larger than 67108864 bytes"),
            (Reply::new(500, PASSWORD), "it answered with HTTP status 500"),
        ];
        for (reply, message) in table {
            let error = refused(&*private(&always(move |_| reply.clone()), word, "team", user, PASSWORD));
            assert!(error.starts_with("registry.example/team: cannot get the list of repositories: the API at 127.0.0.1:"), "{error}");
            assert!(error.contains(message), "{word}: {error}");
        }
    }
}

#[test]
fn a_next_page_elsewhere_is_not_asked_for() {
    let elsewhere = service(|_| page(&json!([])));
    for word in ["hub", "ghcr", "gitlab"] {
        for target in
            [elsewhere.url("/v2/x"), "http://169.254.169.254/".to_owned(), "https://registry.example/".to_owned(), "file:///etc".to_owned()]
        {
            let server = always(move |_| match word {
                "hub" => page(&json!({ "next": target, "results": [] })).unwrap(),
                _ => linked(&json!([]), &target).unwrap(),
            });
            let error = refused(&*private(&server, word, "team", "user", PASSWORD));
            assert!(error.contains("its next page is elsewhere"), "{word}: {error}");
        }
    }
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn a_list_without_end_ends() {
    // A page that is its own next one; and one that always has another.
    let again = always(|request| linked(&list_of("ghcr", &["app"]), &request.path).unwrap());
    assert!(refused(&*private(&again, "ghcr", "team", "user", PASSWORD)).contains("its list has no end"));
    assert_eq!(again.requests().len(), 1);
    let full: Vec<String> = (0..100).map(|number| format!("r{number}")).collect();
    let full: Vec<&str> = full.iter().map(String::as_str).collect();
    let list = list_of("harbor", &full);
    let endless = always(move |_| page(&list).unwrap());
    assert!(refused(&*private(&endless, "harbor", "team", "user", PASSWORD)).contains("its list has no end"));
    assert_eq!(endless.requests().len(), 1000);
}

#[test]
fn a_redirect_of_an_api_is_told_no_login_and_leads_nowhere_inside() {
    for (word, user) in SERVICES {
        let other = always(move |_| page(&list_of(word, &["app"])).unwrap());
        let there = other.url("/list");
        let server = always(move |_| Reply::to(&there));
        assert_eq!(names(&*private(&server, word, "team", user, PASSWORD)), ["team/app"], "{word}");
        let requests = other.requests();
        assert_eq!(requests.len(), 1);
        assert!(
            !format!("{requests:?}").contains(PASSWORD)
                && ["authorization", "private-token"].iter().all(|name| requests[0].header(name).is_none())
        );
        let inside = always(|_| Reply::to("http://169.254.169.254/latest"));
        let error = refused(&*private(&inside, word, "team", user, PASSWORD));
        assert!(error.contains("it refers to 169.254.169.254, which was not asked") && error.contains("--allow-internal-hosts"), "{error}");
        let round = always(|request| Reply::to(&request.path));
        assert!(refused(&*private(&round, word, "team", user, PASSWORD)).contains("it redirects too often"));
    }
    let login = service(|request| (request.path == "/v2/auth/token").then(|| Reply::to("/elsewhere")));
    assert!(refused(&*private(&login, "hub", "team", "user", PASSWORD)).contains("it redirects a login"));
    assert_eq!(login.requests().len(), 1);
}

#[test]
fn a_service_that_was_asked_too_often_is_waited_for_or_says_when() {
    let asked = AtomicUsize::new(0);
    let soon = always(move |_| match asked.fetch_add(1, SeqCst) {
        0 | 1 => Reply::new(429, "").with("Retry-After", "0"),
        _ => page(&list_of("ghcr", &["app"])).unwrap(),
    });
    assert_eq!(names(&*private(&soon, "ghcr", "team", "user", PASSWORD)), ["team/app"]);
    assert_eq!(soon.requests().len(), 3);
    for status in [403, 429] {
        let late = always(move |_| Reply::new(status, "").with("X-RateLimit-Remaining", "0").with("X-RateLimit-Reset", "99999999999"));
        let error = refused(&*private(&late, "ghcr", "team", "user", PASSWORD));
        assert!(error.contains("it was asked too often (HTTP status 429); it wants to be left alone for "), "{error}");
        assert_eq!(late.requests().len(), 1);
    }
}
