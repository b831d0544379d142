import ArgumentParser
import Broker
import Foundation
import JobModel
import Testing

@testable import Backhaul

@Suite("What operators ask of graves is understood, or refused with what to write")
struct GraveOptionsTests {
    private let now = Date(timeIntervalSince1970: 1_000_000)

    @Test("times are moments, or lengths of time before now")
    func times() throws {
        func time(_ text: String) throws -> Double {
            try GraveFilters.time(text, flag: "--since", now: now).timeIntervalSince1970
        }
        #expect(try time("2h") == 1_000_000 - 7200)
        #expect(try time("7d") == 1_000_000 - 604_800)
        #expect(try time("1970-01-01T00:01:00Z") == 60)
        for text in ["", "yesterday", "7", "1970-01-01"] {
            #expect(throws: ValidationError.self) { try time(text) }
        }
    }

    @Test("one way to choose entries, and only one")
    func selection() throws {
        for flags in [
            ["a", "b"], ["--all"], ["--group", "00ff"], ["--all", "--job", "x"],
            ["--older-than", "7d"], ["--all", "--older-than", "7d", "--reason", "x"],
            ["--group", "00ff", "--since", "2h"],
        ] { #expect(throws: Never.self) { try GraveSelection.parse(flags) } }
        for flags in [
            [], ["a", "--all"], ["--group", "00ff", "--all"], ["a", "--job", "x"], ["--job", "x"],
            ["--group", "00ff", "--fingerprint", "00ff"], ["--older-than", "soon"],
            ["--older-than", "7d", "--until", "2h"], ["a", "--older-than", "7d"],
        ] { #expect(throws: (any Error).self, "\(flags)") { try GraveSelection.parse(flags) } }
    }

    @Test("a rule to stop by is a number, or a percentage of enough")
    func stopRule() {
        #expect(StopRule(argument: "5") == .count(5))
        #expect(StopRule(argument: "2.5%") == .percent(2.5))
        for text in ["0", "-1", "0%", "101%", "x", "", "%", "5 %%"] {
            #expect(StopRule(argument: text) == nil)
        }
        #expect(!StopRule.count(5).isPassed(cameBack: 4, replayed: 4))
        #expect(StopRule.count(5).isPassed(cameBack: 5, replayed: 500))
        #expect(!StopRule.percent(10).isPassed(cameBack: 19, replayed: 19))
        #expect(!StopRule.percent(10).isPassed(cameBack: 2, replayed: 20))
        #expect(StopRule.percent(10).isPassed(cameBack: 3, replayed: 20))
    }

    @Test("a rule to stop by needs a pace, and contradictions are refused")
    func contradictions() {
        typealias Replay = GraveReplay<DeadGrave>
        typealias Edit = GraveEdit<DeadGrave>
        #expect(throws: Never.self) {
            try Replay.parse(["--all", "--rate", "5", "--stop-after-failures", "10%"])
        }
        for flags in [
            ["--all", "--rate", "0", "--stop-after-failures", "5"], ["--all", "--rate", "-1"],
            ["--all", "--watch", "5"],
        ] { #expect(throws: (any Error).self) { try Replay.parse(flags) } }
        for flags in [
            ["e"], ["e", "--args", "{}"], ["e", "--kwargs", "[]"], ["e", "--kwarg", "a"],
            ["e", "--kwarg", "a=paid"], ["e", "--kwarg", "=1"], ["e", "--args", "[1,"],
            ["e", "--args", "[]", "--yes", "--dry-run"],
        ] { #expect(throws: (any Error).self, "\(flags)") { try Edit.parse(flags) } }
        #expect(throws: Never.self) { try Edit.parse(["e", "--kwarg", "a=\"paid\""]) }
        #expect(throws: (any Error).self) {
            try GravePurge<DeadGrave>.parse(["--all", "--yes", "--dry-run"])
        }
        #expect(throws: (any Error).self) {
            try GraveList<DeadGrave>.parse(["--after", "nowhere"])
        }
        #expect(OutputFormat(argument: "table") == .text)
    }

    @Test("without a terminal nothing is asked, and a wrong answer is no answer")
    func confirmation() throws {
        let code = #expect(throws: ExitCode.self) {
            try Confirmation(isTerminal: false, answer: { "purge 3" })
                .isGiven(for: "delete", typing: "purge 3")
        }
        #expect(code?.rawValue == 64)
        func isGiven(_ answer: String?) throws -> Bool {
            try Confirmation(isTerminal: true, answer: { answer })
                .isGiven(for: "delete 3 entries", typing: "purge 3")
        }
        #expect(try isGiven("purge 3"))
        #expect(try isGiven(" purge 3 "))
        for answer in ["yes", "purge 4", "", nil] { #expect(try !isGiven(answer)) }
    }

    @Test("an edit changes what it names and leaves the rest")
    func edit() {
        let body = MessageBody(
            args: [1, 2], kwargs: ["a": 1, "b": ["x": [1, 2]]], embed: ["chord": 7])
        var edit = ArgumentEdit()
        edit.set = [("a", "one"), ("c", .null)]
        edit.drop = ["b"]
        #expect(
            edit.applied(to: body)
                == MessageBody(
                    args: [1, 2], kwargs: ["a": "one", "c": .null], embed: ["chord": 7]))
        edit.drop = ["z"]
        #expect(edit.missing(in: body) == ["z"])
        #expect(edit.applied(to: nil) == nil)
        #expect(ArgumentEdit(args: [], kwargs: [:]).applied(to: nil) != nil)
    }

    @Test("what a message holds cannot steer a terminal")
    func controls() {
        let hostile = "a\u{1b}[2J\r\u{202e}b\tc\n"
        #expect(hostile.withoutControls == "a\u{fffd}[2J\u{fffd}\u{fffd}b\tc\n")
    }

    @Test("a difference is shown place by place")
    func diff() {
        let old = MessageBody(args: [1, 2], kwargs: ["a": ["x": [1, 2]], "b": "same"])
        let new = MessageBody(args: [1], kwargs: ["a": ["x": [1, 3], "y": []], "b": "same"])
        #expect(
            ArgumentDiff.lines(old, new) == [
                "- args[1]: 2", "- kwargs.a.x[1]: 2", "+ kwargs.a.x[1]: 3", "+ kwargs.a.y: []",
            ])
        #expect(
            ArgumentDiff.lines(nil, MessageBody(args: [], kwargs: ["a": 1])) == ["+ kwargs.a: 1"])
        #expect(ArgumentDiff.lines(old, old) == [])
    }
}
