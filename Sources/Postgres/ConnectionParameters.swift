private import CLibpq

/// A parsed conninfo: what libpq accepts, with our own limits and formats added.
struct ConnectionParameters: Sendable {
    private var values: [String: String] = [:]

    /// Parses a URL or a keyword/value string.
    ///
    /// - Throws: `connect`, without repeating the text, which may hold a password.
    init(conninfo: String) throws(PostgresError) {
        guard !conninfo.utf8.contains(0),
            let parsed = unsafe PQconninfoParse(conninfo, nil)
        else {
            throw PostgresError(
                .connect, "the connection URL is not one that libpq understands")
        }
        defer { unsafe PQconninfoFree(parsed) }
        var option = unsafe parsed
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                values[unsafe String(cString: keyword)] = unsafe String(cString: value)
            }
            unsafe option += 1
        }
    }

    /// Host, port and database; never the user or the password.
    var address: String {
        let host = values["host"] ?? values["hostaddr"] ?? values["service"] ?? "local"
        return "\(host):\(values["port"] ?? "5432")/\(values["dbname"] ?? values["user"] ?? "")"
    }

    /// What a keyword is set to.
    func value(_ keyword: String) -> String? { values[keyword] }

    /// Adds what each connection of the pool has; the URL's own settings win.
    mutating func apply(_ options: PostgresOptions) {
        func fill(_ key: String, _ value: String) { values[key] = values[key] ?? value }
        values["client_encoding"] = "UTF8"
        fill("fallback_application_name", options.applicationName)
        // A peer that vanished without a word is noticed within about a minute when idle, and
        // within the connect timeout when data is on its way; PQcancel keeps to these too.
        fill("keepalives_idle", "30")
        fill("keepalives_interval", "10")
        fill("keepalives_count", "3")
        fill("tcp_user_timeout", String(max(options.connectTimeout.milliseconds, 1000)))
        if options.sendsStartupOptions {
            let own = values["options"].map { " " + $0 } ?? ""
            values["options"] = options.startupOptions + own
        }
    }

    /// Runs `body` with the null-terminated lists that `PQconnectStartParams` takes.
    func withKeywords<Result>(
        _ body: (
            UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>
        ) -> Result
    ) -> Result {
        let ordered = values.sorted { $0.key < $1.key }
        let keys = CStringList(ordered.map { Optional($0.key) })
        let texts = CStringList(ordered.map { Optional($0.value) })
        return unsafe keys.withPointers { keys in
            unsafe texts.withPointers { texts in unsafe body(keys, texts) }
        }
    }
}

extension ConnectionParameters: CustomStringConvertible, CustomReflectable {
    var description: String { address }
    var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// C strings in one buffer, with a null-terminated list of pointers to them; nil stays null.
struct CStringList {
    private var bytes: [UInt8] = []
    private var starts: [Int?] = []

    init(_ texts: some Collection<String?>) {
        starts.reserveCapacity(texts.count)
        bytes.reserveCapacity(texts.reduce(0) { $0 + ($1.map { $0.utf8.count + 1 } ?? 0) })
        for text in texts {
            guard let text else {
                starts.append(nil)
                continue
            }
            starts.append(bytes.count)
            bytes.append(contentsOf: text.utf8)
            bytes.append(0)
        }
    }

    /// Runs `body` with the list; the pointers are valid only inside.
    func withPointers<Result>(
        _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        unsafe bytes.withUnsafeBytes { buffer in
            let buffer = unsafe buffer.assumingMemoryBound(to: CChar.self)
            return unsafe withUnsafeTemporaryAllocation(
                of: UnsafePointer<CChar>?.self, capacity: starts.count + 1
            ) { list in
                for (index, start) in starts.enumerated() {
                    let pointer = unsafe start.flatMap { start in
                        unsafe buffer.baseAddress.map { unsafe $0 + start }
                    }
                    unsafe list.initializeElement(at: index, to: pointer)
                }
                unsafe list.initializeElement(at: starts.count, to: nil)
                // `list` holds at least the terminator, so it has a base address.
                guard let base = list.baseAddress else {
                    preconditionFailure("an allocation of at least one pointer has an address")
                }
                return unsafe body(base)
            }
        }
    }
}
