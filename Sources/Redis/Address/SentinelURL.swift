/// A URL that names Sentinels and the master to ask them for.
///
/// Either one URL with hosts between commas, or Celery's form: a URL for each Sentinel, between
/// semicolons, of which any may hold the credentials, the database and the query.
struct SentinelURL {
    static let schemes: Set = ["redis-sentinel", "redis+sentinel", "sentinel"]

    private static let defaultPort = 26_379
    private static let form =
        "write redis-sentinel://host:26379,host:26379/0?master=NAME, with the name that "
        + "`sentinel monitor` gives the master"
    private static let knownOptions = [
        "master", "master_name", "sentinel_username", "sentinel_password", "db", "virtual_host",
        "username", "password",
    ]

    private let parts: [RedisURL]

    init(_ text: String) throws(RedisError) {
        var parts: [RedisURL] = []
        for part in text.split(separator: ";") {
            let url = try RedisURL(part.contains("://") ? String(part) : "sentinel://\(part)")
            guard Self.schemes.contains(url.scheme) else {
                throw RedisURL.problem("between semicolons every part begins with sentinel://")
            }
            // Credentials repeated before each host of a list would be read as one long password.
            guard url.credentials?.contains("@") != true else {
                throw RedisURL.problem(
                    "credentials stand once, before the first host, with '@' written as %40")
            }
            parts.append(url)
        }
        self.parts = parts
    }

    func address() throws(RedisError) -> RedisAddress {
        var hosts: [RedisSentinels.Host] = []
        var options: [String: String] = [:]
        for part in parts {
            for host in try Self.hosts(part.authority) where !hosts.contains(host) {
                hosts.append(host)
            }
            var own = try part.options(Self.knownOptions)
            let (user, password) = try part.login(own)
            own["username"] = user
            own["password"] = password
            let database = try RedisURL.decoded(part.path.drop { $0 == "/" }, "the database")
            if !database.isEmpty { own["db"] = database }
            for (name, value) in own {
                guard options.updateValue(value, forKey: name) ?? value == value else {
                    throw RedisURL.problem("its parts do not agree on \(name)")
                }
            }
        }
        guard let master = options["master"] ?? options["master_name"], !master.isEmpty else {
            throw RedisURL.problem("the name of the master is missing: \(Self.form)")
        }
        let (user, password) = (options["sentinel_username"], options["sentinel_password"])
        guard user == nil || password != nil else {
            throw RedisURL.problem("there is a sentinel_username but no sentinel_password")
        }
        return RedisAddress(
            endpoint: .sentinel(
                RedisSentinels(hosts: hosts, master: master, user: user, password: password)),
            user: options["username"], password: options["password"],
            database: try RedisURL.databaseNumber(options["db"] ?? options["virtual_host"]))
    }

    private static func hosts(_ authority: Substring) throws(RedisError) -> [RedisSentinels.Host] {
        var hosts: [RedisSentinels.Host] = []
        for text in authority.split(separator: ",", omittingEmptySubsequences: false) {
            let (host, port) = try RedisURL.hostAndPort(text, defaultPort: defaultPort)
            let isPlain = host.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "@" }
            guard !host.isEmpty, isPlain else {
                throw RedisURL.problem("the host of a Sentinel is missing or unusable: \(form)")
            }
            hosts.append(RedisSentinels.Host(host: host, port: port))
        }
        return hosts
    }
}
