import KubeModel
import Logging
import Testing
import swiftlet

/// Lines of the log.
struct LogOutputTests {
  private func lines(_ format: LogOutput.Format, level: Logger.Level = .info, _ work: (inout Logger) -> Void) throws -> [String] {
    let text = try written { descriptor in
      var logger = Logger(label: "swiftlet") { LogOutput(label: $0, format: format, level: level, descriptor: descriptor) }
      work(&logger)
    }
    #expect(text.isEmpty || text.hasSuffix("\n"))
    return text.split(separator: "\n").map(String.init)
  }

  /// The line without its time, which is checked for its form.
  private func rest(_ line: String) -> String {
    let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
    #expect(parts[0].count == "2026-01-02T03:04:05.678Z".count && Timestamp.seconds(parts[0]) != nil)
    return parts[1]
  }

  @Test func aTextLineHasTimeLevelMessageAndSortedFields() throws {
    let lines = try lines(.text) { logger in
      logger.info("pod started", metadata: ["uid": "7", "pod": "default/web"])
      logger.warning("odd", metadata: ["reason": "two words", "empty": "", "pair": "a=b", "quote": "say \"hi\"", "lines": "a\nb"])
      logger.error("bad")
    }
    #expect(rest(lines[0]) == "INFO  pod started pod=default/web uid=7")
    #expect(
      rest(lines[1]) == #"WARN  odd empty="" lines="a\nb" pair="a=b" quote="say \"hi\"" reason="two words""#)
    #expect(rest(lines[2]) == "ERROR bad")
    #expect(lines.count == 3)
  }

  @Test func aMessageOfSeveralLinesStaysOneRecord() throws {
    let lines = try lines(.text) { $0.error("first\nsecond") }
    #expect(lines.map(rest) == ["ERROR first\\nsecond"])
  }

  @Test func aJSONLineIsOneObject() throws {
    let lines = try lines(.json) { logger in
      logger[metadataKey: "node"] = "a"
      logger.notice("line one\nline two", metadata: ["pod": "default/web", "level": "mine"])
    }
    let object = try objects("[\(lines[0])]")[0]
    #expect(lines.count == 1)
    #expect(object.members.map(\.key) == ["ts", "level", "logger", "msg", "level_", "node", "pod"])
    #expect(object["level"] == "notice" && object["level_"] == "mine" && object["logger"] == "swiftlet")
    #expect(object["msg"] == "line one\nline two" && object["node"] == "a" && object["pod"] == "default/web")
  }

  @Test func whatIsBelowTheLevelIsNotWritten() throws {
    let lines = try lines(.text, level: .warning) { logger in
      logger.debug("no")
      logger.info("no")
      logger.warning("yes")
      logger.logLevel = .debug
      logger.debug("now", metadata: ["a": "1"])
    }
    #expect(lines.map(rest) == ["WARN  yes", "DEBUG now a=1"])
  }
}
