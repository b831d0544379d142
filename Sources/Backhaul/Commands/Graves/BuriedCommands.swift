import ArgumentParser
import Broker

/// `backhaul dead`: jobs that failed for good.
struct DeadCommand: AsyncParsableCommand {
    static let configuration = GraveConfiguration.root(
        DeadGrave.self, abstract: "Look at jobs that failed for good, mend them, run them again.")
}

/// `backhaul quarantine`: messages that cannot be run as they are.
struct QuarantineCommand: AsyncParsableCommand {
    static let configuration = GraveConfiguration.root(
        QuarantineGrave.self,
        abstract: "Look at messages that cannot be run, mend them, put them back.")
}

/// One of the two graves, as a type: each command is written once and exists for both.
protocol GraveKind: SendableMetatype {
    static var grave: Grave { get }
}

enum DeadGrave: GraveKind {
    static let grave = Grave.dead
}

enum QuarantineGrave: GraveKind {
    static let grave = Grave.quarantine
}

/// What the commands of both graves say of themselves.
enum GraveConfiguration {
    static func root<Kind: GraveKind>(
        _ kind: Kind.Type, abstract: String
    ) -> CommandConfiguration {
        let name = Kind.grave.rawValue
        return CommandConfiguration(
            commandName: name, abstract: abstract,
            discussion: """
                After an outage: see what failed, look at one, mend it, then put all of them
                back at a pace, stopping by itself when they fail again.

                Examples:
                  backhaul \(name) groups
                  backhaul \(name) show ENTRY
                  backhaul \(name) edit ENTRY --kwarg amount=12
                  backhaul \(name) replay --group HEX --rate 20 --stop-after-failures 5

                Exit codes: 0 done; 1 not, or only in part, and the last line says what to
                do; 64 wrong usage; 78 wrong settings.
                """,
            subcommands: [
                GraveList<Kind>.self, GraveShow<Kind>.self, GraveGroups<Kind>.self,
                GraveEdit<Kind>.self, GraveReplay<Kind>.self, GravePurge<Kind>.self,
            ])
    }

    /// A subcommand; in its examples, `GRAVE` stands for the grave's name.
    static func verb<Kind: GraveKind>(
        _ name: String, _ kind: Kind.Type, abstract: String, discussion: String
    ) -> CommandConfiguration {
        CommandConfiguration(
            commandName: name,
            abstract: abstract.replacing("GRAVE", with: Kind.grave.title),
            discussion: discussion.replacing("GRAVE", with: Kind.grave.rawValue))
    }
}

extension Grave {
    /// As it is called in a sentence.
    var title: String {
        switch self {
        case .dead: "the dead letters"
        case .quarantine: "quarantine"
        }
    }

    /// What an operator does who finds nothing under a name.
    var listAdvice: String { "`backhaul \(rawValue) list` shows what is there" }
}

extension SharedOptions {
    /// Runs `body` with a broker that is closed afterwards.
    ///
    /// - Throws: `CommandFailure` for what Redis refuses, and what `body` throws.
    func withBroker<Value: Sendable>(
        _ body: (RedisBroker) async throws -> Value
    ) async throws -> Value {
        let broker = try Composition(try load()).broker()
        let outcome: Swift.Result<Value, any Error>
        do { outcome = .success(try await body(broker)) } catch { outcome = .failure(error) }
        await broker.close()
        do { return try outcome.get() } catch let error as BrokerError { throw error.failure }
    }
}

extension BrokerError {
    /// The error as a command reports it.
    var failure: CommandFailure {
        code == .refused
            ? CommandFailure(message, advice: "nothing was changed; look at it with `show`")
            : CommandFailure(
                "Redis: \(self)", advice: "check REDIS_URL, then run `backhaul doctor`")
    }
}
