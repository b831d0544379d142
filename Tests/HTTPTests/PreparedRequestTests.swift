import Testing

@testable import HTTP

@Suite("What is refused before it reaches the network")
struct PreparedRequestTests {
    private let url = "http://example.test/hook"

    private func prepared(
        _ request: HTTPRequest, _ limits: HTTPLimits = HTTPLimits()
    ) throws(HTTPError) -> PreparedRequest {
        let target = try TargetMemory(limits: limits).target(of: request.url)
        return try PreparedRequest(request, to: target, limits: limits)
    }

    private func refusal(_ request: HTTPRequest, _ limits: HTTPLimits = HTTPLimits()) -> HTTPError?
    {
        do {
            _ = try prepared(request, limits)
            return nil
        } catch { return error }
    }

    @Test(
        "only http and https URLs are taken",
        arguments: [
            "file:///etc/passwd", "gopher://127.0.0.1:70/_x", "ftp://h/", "dict://h/", "ldap://h/",
            "data:text/plain,x", "ws://h/", "smb://h/x",
        ])
    func foreignProtocols(url: String) {
        #expect(refusal(HTTPRequest(method: "GET", url: url))?.code == .protocolNotAllowed)
    }

    @Test(
        "a URL that is not plainly absolute is refused",
        arguments: [
            "", "example.test", "/hook", "//example.test/", "http://",
            "http://h:99999/", "http://a b/", "http://h/\n", "http://h/\r\nX: y", "http://h/\0",
            "http://h\0.evil/", "http://[::1", "http://h/ x",
        ])
    func badURLs(url: String) {
        #expect(refusal(HTTPRequest(method: "GET", url: url))?.code == .badURL)
    }

    @Test(
        "credentials in a URL are refused and not repeated in the error",
        arguments: ["http://user:hunter2@h/", "http://hunter2@h/", "https://:hunter2@h/"])
    func credentials(url: String) throws {
        let error = try #require(refusal(HTTPRequest(method: "GET", url: url)))
        #expect(error.code == .badURL)
        #expect(!error.description.contains("hunter2"))
    }

    @Test(
        "a header value cannot start another header",
        arguments: ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rb", "a\0b", "\n", "a\u{7f}", "\u{1}"])
    func headerValues(value: String) throws {
        let request = HTTPRequest(method: "POST", url: url, headers: [("X-Note", value)])
        let error = try #require(refusal(request))
        #expect(error.code == .badHeader)
        #expect(error.host == "example.test")
        #expect(!error.description.contains("Evil"))
    }

    @Test(
        "a header name is a token, and not one of those that frame the message",
        arguments: [
            "", "X Note", "X:Note", "X\r\nY", "Ünicode", "Host", "content-length",
            "Transfer-Encoding", "connection", "Expect", "TE", "Upgrade",
        ])
    func headerNames(name: String) {
        let request = HTTPRequest(method: "POST", url: url, headers: [(name, "1")])
        #expect(refusal(request)?.code == .badHeader)
    }

    @Test("a method is a word of capitals", arguments: ["", "get", "GET /x", "GE\r\nT", "P\0ST"])
    func methods(method: String) {
        #expect(refusal(HTTPRequest(method: method, url: url))?.code == .badHeader)
    }

    @Test("each size limit holds at its boundary")
    func sizes() {
        var limits = HTTPLimits()
        limits.requestBodyBytes = 10
        limits.requestHeaderBytes = 20
        limits.urlBytes = url.utf8.count
        func request(body: Int, header: Int, url: String) -> HTTPRequest {
            HTTPRequest(
                method: "POST", url: url,
                headers: [("X", String(repeating: "x", count: header))],
                body: [UInt8](repeating: 0, count: body))
        }
        #expect(refusal(request(body: 10, header: 15, url: url), limits) == nil)
        #expect(refusal(request(body: 11, header: 0, url: url), limits)?.code == .requestTooLarge)
        #expect(refusal(request(body: 0, header: 16, url: url), limits)?.code == .badHeader)
        #expect(refusal(request(body: 0, header: 0, url: url + "x"), limits)?.code == .badURL)
    }

    @Test("a request cannot ask for more time than the sender allows")
    func timeouts() throws {
        let limits = HTTPLimits()
        let long = HTTPRequest(
            method: "GET", url: url, connectTimeout: .seconds(60), totalTimeout: .seconds(600))
        let prepared = try prepared(long, limits)
        #expect(prepared.connectTimeout == limits.connectTimeout)
        #expect(prepared.totalTimeout == limits.totalTimeout)
    }

    @Test("requests share connections by scheme, host and port")
    func origins() throws {
        func origin(_ url: String) throws -> String {
            try prepared(HTTPRequest(method: "GET", url: url)).target.origin
        }
        #expect(try origin("HTTP://Example.test/a") == origin("http://example.test:80/b"))
        #expect(try origin("http://example.test/") != origin("https://example.test/"))
        #expect(try origin("http://example.test/") != origin("http://example.test:8080/"))
    }

    @Test("a URL is read once while it is remembered, and a refused one each time")
    func remembered() throws {
        var limits = HTTPLimits()
        limits.rememberedTargets = 2
        let memory = TargetMemory(limits: limits)
        let first = try memory.target(of: url)
        #expect(try memory.target(of: url) === first)
        for number in 0..<5 { _ = try memory.target(of: "\(url)/\(number)") }
        #expect(try memory.target(of: url) !== first)
        for _ in 0..<2 {
            #expect(throws: HTTPError.self) { try memory.target(of: "http://user:pw@h/") }
        }
    }

    @Test("header lines are as they were given, and what is missing is named")
    func headerLines() throws {
        func lines(_ headers: [(String, String)]) throws -> [String] {
            let lines = try prepared(HTTPRequest(method: "POST", url: url, headers: headers))
                .headerLines
            return lines.bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(try lines([]) == ["Expect:", "Content-Type:", "User-Agent: backhaul"])
        #expect(
            try lines([("CONTENT-type", "a/b"), ("user-AGENT", "é\tx"), ("X", ""), ("Y", " \t")])
                == ["Expect:", "CONTENT-type: a/b", "user-AGENT: é\tx", "X;", "Y;"])
    }
}
