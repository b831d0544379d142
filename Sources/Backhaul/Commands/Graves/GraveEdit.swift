import ArgumentParser
import Broker
import Foundation
import JobModel

/// `backhaul dead edit` and `backhaul quarantine edit`.
struct GraveEdit<Kind: GraveKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        GraveConfiguration.verb(
            "edit", Kind.self, abstract: "Change the arguments of one message of GRAVE.",
            discussion: """
                Shows what changes, and asks. The message as it was found is kept beside it,
                once. Nothing is put back: that is `replay`. (--set is for settings, here as
                everywhere; keyword arguments are given by --kwarg.)

                Examples:
                  backhaul GRAVE edit ENTRY --kwarg amount=12 --dry-run
                  backhaul GRAVE edit ENTRY --kwarg amount=12 --drop-kwarg note --yes
                  backhaul GRAVE edit ENTRY --args '[42]' --kwargs '{"force": true}'
                """)
    }

    @Argument(help: "The entry, as `list` names it.")
    var entry: String

    @Option(help: ArgumentHelp("All positional arguments anew.", valueName: "JSON array"))
    var args: String?

    @Option(help: ArgumentHelp("All keyword arguments anew.", valueName: "JSON object"))
    var kwargs: String?

    @Option(
        name: .customLong("kwarg"),
        help: ArgumentHelp("One keyword argument; may be repeated.", valueName: "name=JSON"))
    var named: [String] = []

    @Option(help: ArgumentHelp("Leave one keyword argument out; repeats.", valueName: "name"))
    var dropKwarg: [String] = []

    @Flag(help: "Show what would change; change nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard args != nil || kwargs != nil || !named.isEmpty || !dropKwarg.isEmpty else {
            throw ValidationError(
                "Say what to change: --args, --kwargs, --kwarg name=JSON or --drop-kwarg name.")
        }
        guard !(yes && dryRun) else {
            throw ValidationError("--yes and --dry-run contradict each other; give one.")
        }
        _ = try edit()
    }

    /// What the flags ask for.
    private func edit() throws -> ArgumentEdit {
        var edit = ArgumentEdit()
        if let args {
            guard case .array(let items) = try Self.json(args, flag: "--args") else {
                throw ValidationError("--args must be a JSON array, such as '[42]'")
            }
            edit.args = items
        }
        if let kwargs {
            guard case .object(let members) = try Self.json(kwargs, flag: "--kwargs") else {
                throw ValidationError("--kwargs must be a JSON object, such as '{\"id\": 42}'")
            }
            edit.kwargs = members
        }
        for assignment in named {
            let parts = assignment.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw ValidationError("--kwarg must be written name=JSON, such as amount=12")
            }
            let value = try Self.json(String(parts[1]), flag: "--kwarg \(parts[0])")
            edit.set.append((String(parts[0]), value))
        }
        edit.drop = dropKwarg
        return edit
    }

    private static func json(_ text: String, flag: String) throws -> JSONValue {
        do { return try JSONValue(parsing: Array(text.utf8)) } catch {
            throw ValidationError(
                "\(flag) is not JSON (text needs its quotes, such as '\"paid\"'): \(error)")
        }
    }

    func run() async throws {
        let edit = try edit()
        try await shared.withBroker { broker in
            guard let record = try await broker.record(of: entry, in: Kind.grave),
                let found = record.message
            else {
                throw CommandFailure(
                    "no entry \(entry) in \(Kind.grave.rawValue)", advice: Kind.grave.listAdvice)
            }
            guard let (bytes, changes) = try Self.edited(found, edit) else {
                print("nothing would change")
                return
            }
            print("\(found.name ?? "?") \(found.id ?? "")".withoutControls)
            print(changes.joined(separator: "\n"))
            if dryRun { return }
            let word = found.id.map { String($0.prefix(8)) } ?? "yes"
            guard
                try yes || Confirmation().isGiven(for: "change that message", typing: word)
            else {
                throw CommandFailure("nothing was changed", advice: "repeat, or give --yes")
            }
            switch try await broker.replace(record, with: found.edited(bytes), in: Kind.grave) {
            case .done:
                print("changed; put it back with: backhaul \(Kind.grave) replay \(entry)")
            case .gone:
                throw CommandFailure(
                    "entry \(entry) went away meanwhile: put back, purged or dropped",
                    advice: "nothing was changed; \(Kind.grave.listAdvice)")
            case .changed:
                throw CommandFailure(
                    "somebody else changed entry \(entry) meanwhile",
                    advice: "nothing was changed; `show` it, and decide again")
            }
        }
    }

    /// The message with its new arguments and the lines that differ; nil when none does.
    private static func edited(
        _ found: BuriedMessage, _ edit: ArgumentEdit
    ) throws -> (bytes: [UInt8], changes: [String])? {
        let message: JobMessage
        do throws(MessageError) { message = try found.decoded() } catch {
            throw CommandFailure(
                "entry \(found.entry) is not a message that can be read (\(error.code))",
                advice: "send a new one with `backhaul enqueue`, then purge this entry")
        }
        let old = try? message.body(limits: WireLimits())
        let missing = edit.missing(in: old)
        guard missing.isEmpty else {
            throw CommandFailure(
                "there is no keyword argument \(missing.joined(separator: ", "))",
                advice: "`show` lists those of the message")
        }
        guard let new = edit.applied(to: old) else {
            throw CommandFailure(
                "the arguments of entry \(found.entry) cannot be read, so they cannot be changed "
                    + "in part",
                advice: "give all of them: --args '[…]' --kwargs '{…}'")
        }
        guard old != new else { return nil }
        let bytes = try message.replacing(new)
        // What was written must read as it was meant, or it would only come back.
        guard let again = try? JobMessage(decoding: bytes, limits: WireLimits()),
            (try? again.body(limits: WireLimits())) == new
        else {
            throw CommandFailure(
                "these arguments do not fit into a message",
                advice: "are they within limits.body_bytes and limits.nesting_depth?")
        }
        return (bytes, ArgumentDiff.lines(old, new))
    }
}
