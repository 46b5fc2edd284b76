import Testing
import swiftlet
