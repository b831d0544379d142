/// What is said first on a new connection, and what the answers mean.
struct Handshake {
    private enum Step {
        case authenticate
        case select
        case checkRole
        case nameClient
        case askClientID
    }

    private var steps: [Step] = []
    /// Sent in one write.
    private(set) var commands: [RedisCommand] = []
    /// What the server must be, if Sentinel named it.
    private var master: String?

    init(address: RedisAddress, clientName: String?) {
        if let password = address.password {
            steps.append(.authenticate)
            let user: [any RedisArgument] = address.user.map { [$0] } ?? []
            commands.append(RedisCommand("AUTH", user + [password]))
        }
        if address.database != 0 {
            steps.append(.select)
            commands.append(RedisCommand("SELECT", address.database))
        }
        if case .sentinel(let sentinels) = address.endpoint {
            master = sentinels.master
            steps.append(.checkRole)
            commands.append(RedisCommand("ROLE"))
        }
        if let clientName {
            steps.append(.nameClient)
            commands.append(RedisCommand("CLIENT", "SETNAME", clientName))
        }
        steps.append(.askClientID)
        commands.append(RedisCommand("CLIENT", "ID"))
    }

    /// The connection's `CLIENT ID`, nil if the server keeps it to itself; throws if the
    /// connection cannot be used.
    func clientID(from replies: [RedisValue]) throws(RedisError) -> Int64? {
        for (step, reply) in zip(steps, replies) {
            guard let error = reply.serverError else {
                if step == .checkRole { try checkRole(reply) }
                continue
            }
            // Without a password on our side, a server that wants one says NOAUTH to any command.
            if step == .authenticate || error.code == "NOAUTH" || error.code == "WRONGPASS" {
                throw RedisError(
                    .authentication, "the server refused the credentials: \(error)",
                    serverCode: error.code)
            }
            // CLIENT may be forbidden to this user, or unknown to a proxy: it works without.
            let isDispensable = step == .nameClient || step == .askClientID
            if isDispensable && (error.code == "NOPERM" || error.message.hasPrefix("unknown")) {
                continue
            }
            let advice = step == .checkRole ? " (this user must be allowed ROLE)" : ""
            throw RedisError(
                .connect, "the server refused the connection: \(error)\(advice)",
                serverCode: error.code)
        }
        return replies.last?.int.map(Int64.init)
    }

    /// A Sentinel may not have heard yet that another server is the master now.
    private func checkRole(_ reply: RedisValue) throws(RedisError) {
        let role = reply.array?.first?.string ?? "nothing"
        guard role != "master" else { return }
        throw RedisError(
            .connect,
            """
            the server that Sentinel names as the master `\(master ?? "")` says its role is \
            \(role): a failover may be under way
            """)
    }
}
