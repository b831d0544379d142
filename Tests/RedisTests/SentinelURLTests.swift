import Redis
import Testing

@Suite("URLs of masters that Sentinels know")
struct SentinelURLTests {
    struct Readable: Sendable {
        let url: String
        let address: RedisAddress

        init(
            _ url: String, hosts: [(String, Int)] = [("a", 26379), ("b", 26380)],
            master: String = "mymaster", sentinelUser: String? = nil,
            sentinelPassword: String? = nil, user: String? = nil, password: String? = nil,
            database: Int = 0
        ) {
            self.url = url
            address = RedisAddress(
                endpoint: .sentinel(
                    RedisSentinels(
                        hosts: hosts.map { RedisSentinels.Host(host: $0.0, port: $0.1) },
                        master: master, user: sentinelUser, password: sentinelPassword)),
                user: user, password: password, database: database)
        }
    }

    static let readable = [
        Readable("redis-sentinel://a?master=mymaster", hosts: [("a", 26379)]),
        Readable("redis-sentinel://a,b:26380?master=mymaster"),
        Readable("redis+sentinel://a:26379,b:26380/3?master=mymaster", database: 3),
        Readable("REDIS-SENTINEL://a,b:26380/?master_name=mymaster&db=2", database: 2),
        Readable("redis-sentinel://a,a:26379,b:26380?master=mymaster"),
        Readable(
            "redis-sentinel://ann:p%40w@a,b:26380/1?master=mymaster", user: "ann",
            password: "p@w", database: 1),
        Readable(
            "redis-sentinel://[::1]:7000,[fe80::1]/0?master=m%20%26%201",
            hosts: [("::1", 7000), ("fe80::1", 26379)], master: "m & 1"),
        Readable(
            "redis-sentinel://a,b:26380?master=mymaster&sentinel_username=eve&sentinel_password=x%26y",
            sentinelUser: "eve", sentinelPassword: "x&y"),
        Readable("sentinel://a:26379;sentinel://b:26380/4?master_name=mymaster", database: 4),
        Readable("sentinel://a;b:26380/4?master_name=mymaster", database: 4),
        Readable(
            "sentinel://:pw@a:26379;sentinel://b:26380/0?master_name=mymaster", password: "pw"),
        Readable(
            "sentinel://:pw@a:26379/2;sentinel://:pw@b:26380/2?master_name=mymaster",
            password: "pw", database: 2),
    ]

    @Test("each supported form is read", arguments: readable)
    func reads(_ example: Readable) throws {
        #expect(try RedisAddress(url: example.url) == example.address)
    }

    @Test("what is shown of an address reads back, but for the passwords", arguments: readable)
    func shows(_ example: Readable) throws {
        let again = try RedisAddress(url: example.address.description)
        #expect(again.database == example.address.database)
        #expect(again.user == example.address.user)
        #expect((again.password == nil) == (example.address.password == nil))
        guard case .sentinel(let shown) = again.endpoint,
            case .sentinel(let meant) = example.address.endpoint
        else {
            Issue.record("it names no Sentinel")
            return
        }
        #expect(shown.hosts == meant.hosts)
        #expect(shown.master == meant.master)
        #expect(shown.user == meant.user)
        #expect((shown.password == nil) == (meant.password == nil))
    }

    @Test(
        "what cannot be used is refused with a reason and without a password",
        arguments: [
            ("redis-sentinel://:s3cret@a", "master=NAME"),
            ("sentinel://:s3cret@a:26379;sentinel://b:26379/0", "master=NAME"),
            ("redis-sentinel://a?master=", "master=NAME"),
            ("redis-sentinel://?master=m", "host of a Sentinel"),
            ("redis-sentinel://a,,b?master=m", "host of a Sentinel"),
            ("redis-sentinel://:s3cret@a b?master=m", "host of a Sentinel"),
            ("redis-sentinel://:s3cret@a,:s3cret@b?master=m", "credentials stand once"),
            ("redis-sentinel://:s3cret@a:0?master=m", "port"),
            ("redis-sentinel://:s3cret@a:26379,b:x?master=m", "port"),
            ("redis-sentinel://:s3cret@a/mail?master=m", "database"),
            ("redis-sentinel://ann@a?master=m", "no password"),
            ("redis-sentinel://a?master=m&sentinel_username=s3cret", "sentinel_password"),
            ("redis-sentinel://a?master=m&ssl=s3cret", "the query may name master"),
            ("sentinel://:s3cret1@a;sentinel://:s3cret2@b/0?master_name=m", "agree on password"),
            ("sentinel://a;redis://:s3cret@b/0?master_name=m", "sentinel://"),
        ])
    func refuses(url: String, reason: String) {
        let error = #expect(throws: RedisError.self) { try RedisAddress(url: url) }
        #expect(error?.code == .address)
        #expect(error?.message.contains(reason) == true, "\(error as Any)")
        #expect(!"\(error as Any)".contains("s3cret"))
    }

    @Test("no way of printing an address shows a password")
    func hidesPasswords() throws {
        let address = try RedisAddress(
            url: "redis-sentinel://ann:s3cret@a/1?master=m&sentinel_password=s3cret")
        var dumped = ""
        dump(address, to: &dumped)
        dump(address.endpoint, to: &dumped)
        let wrapped: [Any] = [address, address.endpoint]
        let texts = [
            "\(address)", String(reflecting: address), dumped, "\(wrapped)", "\(address.endpoint)",
            String(reflecting: address.endpoint),
        ]
        for text in texts { #expect(!text.contains("s3cret")) }
        #expect(
            "\(address)"
                == "redis-sentinel://ann:********@a:26379/1?master=m&sentinel_password=********")
    }
}
