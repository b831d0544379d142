import ArgumentParser
import Broker
import Foundation

/// `backhaul chord`: chords that wait for their members.
struct ChordCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chord",
        abstract: "Find chords that do not end, and the member they wait for.",
        discussion: """
            A chord sends its body when every member of its header has ended. Both commands
            only look; chords of Python clients and workers are found as well.

            Examples:
              backhaul chord list
              backhaul chord show GROUP
            """,
        subcommands: [ChordList.self, ChordShow.self])
}

extension OpenChord {
    /// Who ends it, or why nobody does.
    var state: String {
        switch claimant {
        case .swift(let origin): "being ended by \(origin)"
        case .python: "being ended by a Python worker"
        case nil:
            switch missing {
            case nil: "no size: its header is being sent, or it has failed"
            case 0?:
                isWatched
                    ? "complete; a worker of ours ends it within seconds"
                    : "complete, but only Python workers know of it"
            default: "waiting"
            }
        }
    }

    /// How many parts are there, of how many.
    var progress: String {
        let wanted = size.map { "\($0 + extra)" } ?? "?"
        return "\(parts) of \(wanted)"
    }
}

extension Duration {
    /// One or two units, for people: `4 min`, `2 h 5 min`.
    var roughly: String {
        let seconds = Int(components.seconds)
        switch seconds {
        case ..<120: return "\(seconds) s"
        case ..<7200: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3600) h \(seconds / 60 % 60) min"
        default: return "\(seconds / 86_400) d"
        }
    }
}
