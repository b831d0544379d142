import Glibc
import Mailbox

/// The server of the process: started once, handed to all who ask, removed at exit.
actor SharedPostgresServer {
    static let instance = SharedPostgresServer()

    private enum Phase {
        case none
        case starting([CheckedContinuation<PostgresServer, any Error>])
        case running(PostgresServer)
    }

    private var phase = Phase.none

    func server() async throws -> PostgresServer {
        switch phase {
        case .running(let server):
            return server
        case .starting(let waiters):
            return try await withCheckedThrowingContinuation { continuation in
                phase = .starting(waiters + [continuation])
            }
        case .none:
            phase = .starting([])
            let outcome: Result<PostgresServer, any Error>
            do {
                let server = try await PostgresServer.start()
                PostgresServer.removeAtExit(server)
                outcome = .success(server)
            } catch {
                outcome = .failure(error)
            }
            settle(outcome)
            return try outcome.get()
        }
    }

    private func settle(_ outcome: Result<PostgresServer, any Error>) {
        guard case .starting(let waiters) = phase else { return }
        switch outcome {
        case .success(let server): phase = .running(server)
        case .failure: phase = .none
        }
        for waiter in waiters { waiter.resume(with: outcome) }
    }
}
