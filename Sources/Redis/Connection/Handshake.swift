/// What is said first on a new connection, and what the answers mean.
struct Handshake {
    private enum Step {
        case authenticate
        case select
        case nameClient
        case askClientID
    }

    private var steps: [Step] = []
    /// Sent in one write.
    private(set) var commands: [RedisCommand] = []

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
            guard let error = reply.serverError else { continue }
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
            throw RedisError(
                .connect, "the server refused the connection: \(error)", serverCode: error.code)
        }
        return replies.last?.int.map(Int64.init)
    }
}
