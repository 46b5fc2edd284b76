import PodAgent
import Testing
