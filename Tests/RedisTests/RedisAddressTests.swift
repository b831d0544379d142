import Redis
import Testing

@Suite("Redis URLs")
struct RedisAddressTests {
    struct Readable: Sendable {
        let url: String
        let address: RedisAddress

        init(
            _ url: String, _ endpoint: RedisAddress.Endpoint, user: String? = nil,
            password: String? = nil, database: Int = 0
        ) {
            self.url = url
            address = RedisAddress(
                endpoint: endpoint, user: user, password: password, database: database)
        }
    }

    static let local = RedisAddress.Endpoint.tcp(host: "localhost", port: 6379)
    static let socket = RedisAddress.Endpoint.unix(path: "/run/redis.sock")

    static let readable = [
        Readable("redis://", local),
        Readable("redis://localhost", local),
        Readable("REDIS://localhost/", local),
        Readable("redis://localhost:/0", local),
        Readable("redis://localhost:6379/15", local, database: 15),
        Readable("redis://localhost?db=4", local, database: 4),
        Readable("redis://localhost/5?db=4", local, database: 5),
        Readable("redis://10.0.0.7:7000", .tcp(host: "10.0.0.7", port: 7000)),
        Readable("redis://[::1]:7000/2", .tcp(host: "::1", port: 7000), database: 2),
        Readable("redis://[fe80::1]", .tcp(host: "fe80::1", port: 6379)),
        Readable("redis://:secret@localhost", local, password: "secret"),
        Readable("redis://ann:secret@localhost", local, user: "ann", password: "secret"),
        Readable("redis://:a%40b%3Ac%2Fd%25%C3%A9@localhost", local, password: "a@b:c/d%é"),
        Readable("redis://:one@two:three@localhost", local, password: "one@two:three"),
        Readable("redis://:@localhost", local),
        Readable("redis+socket:///run/redis.sock", socket),
        Readable("redis+socket:///run/redis.sock?virtual_host=3", socket, database: 3),
        Readable("redis+socket:///run/redis.sock?virtual_host=/3", socket, database: 3),
        Readable("unix:///run/redis.sock?db=7", socket, database: 7),
        Readable("unix://:secret@/run/redis.sock", socket, password: "secret"),
        Readable(
            "unix:///run/redis.sock?username=ann&password=s%26t&db=1", socket, user: "ann",
            password: "s&t", database: 1),
        Readable("unix:///run/my%20redis", .unix(path: "/run/my redis")),
    ]

    @Test("each supported form is read", arguments: readable)
    func reads(_ example: Readable) throws {
        #expect(try RedisAddress(url: example.url) == example.address)
    }

    @Test("what is shown of an address reads back, but for the password", arguments: readable)
    func shows(_ example: Readable) throws {
        let again = try RedisAddress(url: example.address.description)
        #expect(again.endpoint == example.address.endpoint)
        #expect(again.database == example.address.database)
        #expect(again.user == example.address.user)
        #expect((again.password == nil) == (example.address.password == nil))
    }

    @Test(
        "what cannot be used is refused with a reason and without the password",
        arguments: [
            ("", "scheme"),
            ("localhost:6379", "scheme"),
            ("http://:s3cret@localhost", "scheme"),
            ("rediss://:s3cret@localhost", "not supported yet"),
            ("redis://:s3cret@localhost:port", "port"),
            ("redis://:s3cret@localhost:0", "port"),
            ("redis://:s3cret@localhost:65536", "port"),
            ("redis://:s3cret@localhost:+80", "port"),
            ("redis://:s3cret@localhost/mail", "database"),
            ("redis://:s3cret@localhost/-1", "database"),
            ("redis://:s3cret@localhost/99999999999999999999", "database"),
            ("redis://:s3cret%zz@localhost", "hexadecimal"),
            ("redis://:s3cret%f@localhost", "hexadecimal"),
            ("redis://:s3cret%ff@localhost", "UTF-8"),
            ("redis://:s3cret#@localhost", "%23"),
            ("redis://ann@localhost", "no password"),
            ("redis://[::1", "]"),
            ("redis://[::1]6379", "':'"),
            ("redis://:s3cret@localhost?ssl=s3cret", "query"),
            ("unix://:s3cret@run/redis.sock", "three slashes"),
            ("unix://", "path"),
        ])
    func refuses(url: String, reason: String) {
        let error = #expect(throws: RedisError.self) { try RedisAddress(url: url) }
        #expect(error?.code == .address)
        #expect(error?.message.contains(reason) == true, "\(error as Any)")
        #expect(!"\(error as Any)".contains("s3cret"))
    }

    @Test("no way of printing an address shows its password")
    func hidesPassword() throws {
        let address = try RedisAddress(url: "redis://ann:s3cret@localhost/1")
        var dumped = ""
        dump(address, to: &dumped)
        let wrapped: [Any] = [address, Optional(address) as Any]
        for text in ["\(address)", String(reflecting: address), dumped, "\(wrapped)"] {
            #expect(!text.contains("s3cret"))
        }
        #expect("\(address)" == "redis://ann:********@localhost:6379/1")
    }
}
