/// Where a Redis database is and as whom to speak to it.
///
/// - `redis://[[user]:password@]host[:port][/database]`, host `localhost`, port 6379 and database
///   0 if left out;
/// - `redis+socket://[[user]:password@]/path[?virtual_host=database]`;
/// - `unix://[[user]:password@]/path[?db=database]`;
/// - `redis-sentinel://[[user]:password@]host[:port][,host[:port]…][/database]?master=name`, port 26379
///   if left out, with `&sentinel_username=…&sentinel_password=…` for Sentinels that ask for it; or
///   Celery's `sentinel://host:port;sentinel://host:port/database?master_name=name`.
///
/// Parts are percent-decoded. `description` and reflection never show a password.
package struct RedisAddress: Sendable, Equatable {
    /// A place to connect to.
    package enum Endpoint: Sendable, Equatable {
        case tcp(host: String, port: Int)
        case unix(path: String)
        /// The master, wherever these say it is at the time.
        case sentinel(RedisSentinels)
    }

    package let endpoint: Endpoint
    package let user: String?
    package let password: String?
    /// The number for `SELECT`.
    package let database: Int

    package init(
        endpoint: Endpoint, user: String? = nil, password: String? = nil, database: Int = 0
    ) {
        self.endpoint = endpoint
        self.user = user
        self.password = password
        self.database = database
    }

    /// Reads a URL; throws `.address` with what is wrong, never with the URL itself.
    package init(url: String) throws(RedisError) {
        self = try RedisURL(url).address()
    }
}

extension RedisAddress: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The URL with the passwords masked.
    package var description: String {
        let mask = password == nil ? "" : ":********"
        let credentials = user == nil && password == nil ? "" : "\(user ?? "")\(mask)@"
        switch endpoint {
        case .tcp(let host, let port):
            let name = host.contains(":") ? "[\(host)]" : host
            return "redis://\(credentials)\(name):\(port)/\(database)"
        case .unix(let path):
            return "unix://\(credentials)\(path)?db=\(database)"
        case .sentinel(let sentinels):
            return "redis-sentinel://\(credentials)\(sentinels.hostList)/\(database)"
                + sentinels.query
        }
    }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}
